"""Where a model is weak: its main figure on rows that have something in common, the worst first.

A slice is compared with all other rows that count; as many slices are tried, their p-values are Holm's. One with fewer
than `min_slice_rows` rows is named and not judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from modelmint.core.figures import is_lower_better
from modelmint.core.types import JSON
from modelmint.evaluation.answers import Answered
from modelmint.evaluation.metrics.tables import auc_figure
from modelmint.evaluation.significance import Figure
from modelmint.evaluation.slicing.groups import Group, automatic, groups_of
from modelmint.evaluation.sums import Mask, Sums, apart, holm, p_of

MAX_SHOWN = 400


class Scorer(Protocol):
    """A figure that some of the rows have too."""

    @property
    def name(self) -> str: ...

    def num_rows(self, rows: Mask) -> int:
        """How many of the rows count."""

    def figure(self, rows: Mask, seed: int) -> Figure | None:
        """With its interval; None where these rows have none."""

    def p_value(self, first: Mask, second: Mask) -> float:
        """The two-sided p of two groups of rows having the same figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OfSums:
    """A figure that adds up over rows."""

    name: str
    sums: Sums

    def num_rows(self, rows: Mask) -> int:
        return int(rows[self.sums.rows].sum())

    def figure(self, rows: Mask, seed: int) -> Figure | None:
        kept = self.sums.among(rows)
        return kept.figure(self.name, seed=seed) if len(kept.rows) else None

    def p_value(self, first: Mask, second: Mask) -> float:
        return apart(self.sums.among(first), self.sums.among(second), self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfArea:
    """The AUC of two labels, which is of pairs of rows."""

    name: str
    is_positive: Mask
    scores: "np.ndarray[tuple[int], np.dtype[np.float64]]"

    def num_rows(self, rows: Mask) -> int:
        return int(rows.sum())

    def figure(self, rows: Mask, seed: int) -> Figure | None:  # noqa: ARG002  # nothing is drawn
        num_positive = int(self.is_positive[rows].sum())
        if not 0 < num_positive < rows.sum():
            return None
        return auc_figure(self.is_positive[rows], self.scores[rows], num_positive)

    def p_value(self, first: Mask, second: Mask) -> float:
        found = [self.figure(rows, 0) for rows in (first, second)]
        if found[0] is None or found[1] is None:
            return 1.0
        spread = sum(((one["high"] - one["low"]) / 3.92) ** 2 for one in found if one)
        return p_of(found[0]["value"] - found[1]["value"], spread, math.inf)


def scorer_of(found: Answered) -> Scorer | None:
    """How the main figure of some rows is measured; the first that adds up where the main one does not."""
    if (sums := found.sums_of(found.main)) is not None:
        return OfSums(name=found.main, sums=sums)
    chances = found.chances
    if found.main == "auc" and chances is not None and len(chances.labels) == 2:
        positive = np.array([str(label) == chances.labels[1] for label in found.truth["label"]])
        return OfArea(name="auc", is_positive=positive, scores=chances.probabilities[:, 1].astype(np.float64))
    first = next((one for one in found.sums if set(one.names) & set(found.figures)), None)
    return OfSums(name=first.names[0], sums=first) if first is not None else None


def sliced(
    found: Answered, names: Sequence[str] | None, protected: Sequence[str], *, min_rows: int, alpha: float
) -> JSON | None:
    """The slices of a test set.

    Args:
        names: columns, or length, language, label, cluster; beside them what is looked at unasked. None for these alone,
            empty for none at all.
        protected: columns of groups of people.

    Returns:
        ``figure``, what is measured, ``judged`` (``column``, ``slice``, ``figure``, ``rest``, ``difference`` to the rest,
        ``p_value``, ``p_adjusted``, ``is_worse``: clearly worse than the rest), the worst first: those clearly worse
        before the others; ``too_few``; ``num_tried``. None where no figure is of some rows.

    Raises:
        DataError: a column is not there.
    """
    scorer = scorer_of(found)
    if scorer is None:
        return None
    asked = [] if names is not None and not names else automatic(found.truth, found.form)
    wanted = list(dict.fromkeys([*asked, *(names or ()), *protected]))
    lower = is_lower_better(scorer.name)
    judged: list[JSON] = []
    too_few: list[JSON] = []
    for name in wanted:
        parameter = "protected" if name in protected else "slices"
        groups = groups_of(name, found.truth, found.form, seed=found.seed, parameter=parameter)
        for group in groups if len(groups) > 1 else ():
            num_rows = scorer.num_rows(group.rows)
            about = {"column": group.column, "slice": group.name, "protected": name in protected}
            if num_rows < min_rows:
                too_few.append({**about, "n": num_rows})
            elif (one := _judged(scorer, group, found.seed)) is not None:
                judged.append({**about, **one})
    for one, adjusted in zip(judged, holm([one["p_value"] for one in judged]), strict=True):
        worse = one["difference"] > 0 if lower else one["difference"] < 0
        one |= {"p_value": _digits(one["p_value"]), "p_adjusted": _digits(adjusted), "is_worse": worse and adjusted < alpha}  # fmt: skip
    judged.sort(key=lambda one: (not one["is_worse"], one["difference"] * (-1 if lower else 1), one["slice"]))
    too_few.sort(key=lambda one: (wanted.index(one["column"]) if one["column"] in wanted else 0, -one["n"], one["slice"]))  # fmt: skip
    return {
        "figure": scorer.name,
        "min_rows": min_rows,
        "alpha": alpha,
        "num_tried": len(judged),
        "judged": judged[:MAX_SHOWN],
        "too_few": too_few[:MAX_SHOWN],
        "num_too_few": len(too_few),
    }


def sliced_rows(found: Answered, slices: JSON) -> list[Group]:
    """The groups that `sliced` judged, with their rows."""
    wanted = {(one["column"], one["slice"]) for one in slices["judged"]}
    columns = list(dict.fromkeys(one["column"] for one in slices["judged"]))
    groups = [group for name in columns for group in groups_of(name, found.truth, found.form, seed=found.seed)]
    return [group for group in groups if (group.column, group.name) in wanted]


def _judged(scorer: Scorer, group: Group, seed: int) -> JSON | None:
    """None where the slice has no such figure, or where no other row counts."""
    figure = scorer.figure(group.rows, seed)
    others = ~group.rows
    rest = scorer.figure(others, seed) if scorer.num_rows(others) else None
    if figure is None or rest is None:
        return None
    return {
        "figure": figure,
        "rest": rest["value"],
        "difference": round(figure["value"] - rest["value"], 6),
        "p_value": scorer.p_value(group.rows, others),
    }


def _digits(p_value: float) -> float:
    """Four digits that say something, however small it is."""
    return float(f"{p_value:.4g}")
