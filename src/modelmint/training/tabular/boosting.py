"""Gradient boosted trees by LightGBM, kept in its own text format.

Equal rows and equal settings give equal trees, whatever the number of threads.

Shapes: N rows, k columns, l labels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.core.clock import monotonic_s
from modelmint.core.columns import Columns
from modelmint.core.errors import InputError
from modelmint.training.tabular.fitting import Fit, Rows, Target
from modelmint.training.tabular.spec import Boosting

FILE = "model.txt"
BLIND_ROUNDS = 200
EVERY_ROUNDS = 10
CATEGORY_SMOOTH = 20
FASTER = 4.0
FASTEST = 0.12
SLOWER_POWER = 1.16
"""A learning rate of a quarter needs some 5 times the rounds (credit, telco, german; the mean of 2 divisions of each)."""
NUM_TRIES = 3
MAX_TRIES_S = 4.0


class Trees:
    """Fitted trees. `raw` gives logits (N, l), or (N, 1) for a number."""

    def __init__(self, text: str, num_outputs: int) -> None:
        self.text, self.num_outputs = text, num_outputs
        self._booster = _lightgbm().Booster(model_str=text)

    def raw(self, numbers: Any) -> Any:
        """(N, l); of two labels the first has logit 0."""
        found = np.asarray(self._booster.predict(numbers, raw_score=True, num_threads=1), dtype=np.float64)
        if self.num_outputs == 2:
            return np.column_stack([np.zeros(len(found)), found])
        return found.reshape(len(numbers), -1)

    def importance(self, columns: Columns) -> dict[str, float]:
        """By how much each column's splits lowered the loss, in shares."""
        gains = self._booster.feature_importance("gain")
        return {
            column.name: float(gain / max(gains.sum(), 1e-12))
            for column, gain in zip(columns.columns, gains, strict=True)
        }

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(self.text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, num_outputs: int) -> "Trees":
        """Of a saved folder."""
        return cls((folder / FILE).read_text(encoding="utf-8"), num_outputs)


def fit_trees(
    spec: Boosting,
    train: Rows,
    validation: Rows | None,
    target: Target,
    *,
    categories: Sequence[int],
    seed: int,
    num_threads: int,
    told: Callable[[int, int, float], None],
) -> Fit:
    """Fit trees, and stop where the validation loss ends to fall.

    Args:
        validation: None where there are too few rows to stop by.
        told: (round, rounds at most, training loss) every few rounds; what it raises ends the fit.
    """
    lightgbm = _lightgbm()
    settings = _settings(spec, target, seed=seed, num_threads=num_threads)
    data = lightgbm.Dataset(train.numbers, train.targets, weight=train.weights, categorical_feature=list(categories), params=settings)  # fmt: skip
    sets, names = [data], ["train"]
    rounds = spec.num_rounds if validation is not None else min(spec.num_rounds, BLIND_ROUNDS)
    losses: dict[str, dict[str, list[float]]] = {}
    stored: list[int] = []
    callbacks = [
        lightgbm.record_evaluation(losses),
        _watching(told),
        lambda env: stored.append(env.model.current_iteration()),
    ]
    if validation is not None:
        sets.append(data.create_valid(validation.numbers, validation.targets))
        names.append("validation")
        callbacks.append(_patience(lightgbm, spec.patience))
    booster = lightgbm.train(settings, data, rounds, valid_sets=sets, valid_names=names, callbacks=callbacks)
    history = _history(losses)
    best = booster.best_iteration if validation is not None and booster.best_iteration > 0 else len(history)
    # A round in which nothing could be split adds no tree, and what is cut off is counted in rounds that did.
    num_parts = stored[best - 1] * (target.num_outputs if target.num_outputs > 2 else 1)
    text = booster.model_to_string(num_iteration=stored[best - 1])
    return Fit(model=Trees(text, target.num_outputs), history=history, best_round=best, num_parts=num_parts)


def expected_rounds(
    spec: Boosting,
    rows: Rows,
    num_validation_rows: int,
    target: Target,
    *,
    categories: Sequence[int],
    num_threads: int,
) -> int:
    """How many rounds `fit_trees` will likely need: the mean of some fits that learn faster, each on other rows.

    Which rows validate decides a fit's rounds to a half or to the double, so that no estimate can be sharper than this.

    Args:
        rows: training rows, or a sample of them; some are held out here.
        num_validation_rows: how many there will be, 0 for none to stop by.
    """
    if not num_validation_rows:
        return min(spec.num_rounds, BLIND_ROUNDS)
    faster = min(FASTER, max(1.0, FASTEST / spec.learning_rate))
    quick = spec.model_copy(
        update={"learning_rate": spec.learning_rate * faster, "patience": max(5, round(spec.patience / faster))}
    )
    num_held_out = max(1, min(num_validation_rows, len(rows) // 3))
    found, began_s = [], monotonic_s()
    for seed in range(NUM_TRIES):
        order = np.random.default_rng(seed).permutation(len(rows))
        held_out, learned = (_picked(rows, part) for part in (order[:num_held_out], order[num_held_out:]))
        fit = fit_trees(quick, learned, held_out, target, categories=categories, seed=seed, num_threads=num_threads, told=_quiet)  # fmt: skip
        found.append(fit.best_round)
        if monotonic_s() - began_s > MAX_TRIES_S:
            break
    return min(spec.num_rounds, int(float(np.mean(found)) * faster**SLOWER_POWER) + spec.patience)


def _quiet(_done: int, _most: int, _loss: float) -> None:
    return


def _picked(rows: Rows, places: Any) -> Rows:
    weights = None if rows.weights is None else rows.weights[places]
    return Rows(numbers=rows.numbers[places], targets=rows.targets[places], weights=weights)


def _settings(spec: Boosting, target: Target, *, seed: int, num_threads: int) -> dict[str, Any]:
    objective = {1: "regression", 2: "binary"}.get(target.num_outputs, "multiclass")
    return {
        "objective": objective,
        "metric": {"regression": "rmse", "binary": "binary_logloss", "multiclass": "multi_logloss"}[objective],
        **({"num_class": target.num_outputs} if objective == "multiclass" else {}),
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.num_leaves,
        "min_data_in_leaf": spec.min_leaf_rows,
        "feature_fraction": spec.columns_share,
        "bagging_fraction": spec.rows_share,
        "bagging_freq": 1,
        "lambda_l2": spec.l2,
        "cat_smooth": CATEGORY_SMOOTH,
        "max_cat_to_onehot": 8,
        "seed": seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": num_threads,
        "verbosity": -1,
    }


def _watching(told: Callable[[int, int, float], None]) -> Callable[[Any], None]:
    def watch(env: Any) -> None:
        if env.iteration % EVERY_ROUNDS == 0:
            told(env.iteration + 1, env.end_iteration, float(env.evaluation_result_list[0][2]))

    return watch


def _patience(lightgbm: Any, patience: int) -> Any:
    # The training rows' own loss always falls: `first_metric_only` would look at it.
    return lightgbm.early_stopping(patience, verbose=False)


def _history(losses: dict[str, dict[str, list[float]]]) -> list[tuple[float, float | None]]:
    columns = {name: next(iter(found.values())) for name, found in losses.items()}
    validation: Sequence[float | None] = columns.get("validation") or [None] * len(columns["train"])
    return list(zip(columns["train"], validation, strict=True))


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise InputError(
            "options.model: `boosting` needs lightgbm, which is not installed",
            parameter="options.model",
            remedy="pip install lightgbm, or set train.options.model to linear or network.",
        ) from error
    return lightgbm
