"""Boosted trees: which of them are kept."""

import numpy as np
import pytest

from modelmint.training.tabular.boosting import fit_trees
from modelmint.training.tabular.fitting import Rows, Target
from modelmint.training.tabular.spec import Boosting


@pytest.mark.parametrize("seed", range(4))
def test_the_trees_of_the_best_round_are_kept_also_where_some_rounds_add_none(seed: int) -> None:
    draw = np.random.default_rng(seed)
    numbers = np.column_stack([draw.integers(0, 2, (90, 3)), draw.normal(size=(90, 1))]).astype(np.float64)
    chance = 1 / (1 + np.exp(-2 * numbers[:, 3]))
    rows = Rows(numbers=numbers, targets=(draw.random(90) < chance).astype(np.int64))
    train, validation = (
        Rows(numbers=rows.numbers[at], targets=rows.targets[at]) for at in (slice(0, 60), slice(60, 90))
    )
    spec = Boosting(min_leaf_rows=18, columns_share=0.25, patience=40, num_rounds=300, learning_rate=0.1)
    fit = fit_trees(spec, train, validation, Target(labels=("no", "yes")), categories=(), seed=seed, num_threads=1, told=lambda *_: None)  # fmt: skip
    logits = fit.model.raw(validation.numbers)[:, 1]
    loss = np.log1p(np.exp(-np.where(validation.targets == 1, logits, -logits))).mean()
    assert loss == pytest.approx(fit.history[fit.best_round - 1][1], abs=1e-9)
