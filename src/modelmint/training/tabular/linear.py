"""Logistic and ridge regression on scaled numbers and categories (`core.coefficients`).

Shapes: N rows, k columns, j inputs (a number and a mark where it is missing; one a category), l outputs.
"""

from collections.abc import Callable

import numpy as np

from modelmint.core.coefficients import Coefficients, Inputs
from modelmint.core.columns import Columns, Floats
from modelmint.training.tabular.fitting import Fit, Rows, Target, mean_loss
from modelmint.training.tabular.spec import Linear


def fit_linear(
    spec: Linear,
    train: Rows,
    validation: Rows | None,
    target: Target,
    *,
    columns: Columns,
    told: Callable[[int, int, float], None],
) -> Fit:
    """One fit a strength; the best on the validation rows is kept, the middle one where there are too few of them.

    Args:
        told: (round, rounds, training loss) after each; what it raises ends the fit.
    """
    inputs = Inputs.fit(columns, train.numbers)
    wide_nj, _ = inputs.of(train.numbers)
    found, history = [], []
    for at, strength in enumerate(spec.strengths, start=1):
        weights_jl, bias_l = _solved(wide_nj, train, target, strength)
        model = Coefficients(inputs=inputs, weights_jl=weights_jl, bias_l=bias_l, spreads_j=wide_nj.std(axis=0))
        loss = mean_loss(model.raw(train.numbers), train.targets, target, train.weights)
        held_out = None
        if validation is not None:
            held_out = mean_loss(model.raw(validation.numbers), validation.targets, target)
        found.append(model)
        history.append((loss, held_out))
        told(at, len(spec.strengths), loss)
    losses = [one for _, one in history if one is not None]
    best = int(np.argmin(losses)) if losses else len(found) // 2
    return Fit(model=found[best], history=history, best_round=best + 1, num_parts=found[best].weights_jl.size)


def _solved(wide_nj: Floats, train: Rows, target: Target, strength: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression, Ridge

    if not target.labels:
        ridge = Ridge(alpha=1 / strength).fit(wide_nj, train.targets, sample_weight=train.weights)
        return ridge.coef_.reshape(-1, 1), np.array([ridge.intercept_])
    logistic = LogisticRegression(C=strength, max_iter=2_000, tol=1e-5)
    logistic.fit(wide_nj, train.targets, sample_weight=train.weights)
    if target.num_outputs == 2:
        zeros = np.zeros((wide_nj.shape[1], 1))
        return np.concatenate([zeros, logistic.coef_.T], axis=1), np.array([0.0, logistic.intercept_[0]])
    return logistic.coef_.T, logistic.intercept_
