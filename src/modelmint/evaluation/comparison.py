"""A new model beside the live one, on the same rows: the difference, its interval, and whether chance explains it.

Labels that the live model does not know would make any new model look better; so the gates that stand where none names
the live model look only at the rows whose label it knows.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from modelmint.core.errors import InputError
from modelmint.core.figures import is_lower_better
from modelmint.core.gates import Verdict
from modelmint.core.types import JSON
from modelmint.evaluation.answers import Answered
from modelmint.evaluation.gates import Beside
from modelmint.evaluation.metrics.classification import compare
from modelmint.evaluation.metrics.tables import auc_difference
from modelmint.evaluation.significance import CONFIDENCE, NUM_RESAMPLES, Figure, Floats, keeping, mcnemar
from modelmint.evaluation.slicing.slices import sliced_rows
from modelmint.evaluation.sums import Mask, Sums, holm, p_of

MCNEMAR, BOOTSTRAP, DELONG = "McNemar's exact test", "paired bootstrap", "DeLong's test"
CHUNK_NUMBERS = 4_000_000
MAX_WORSE_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """The new model's figure minus the live one's on the same rows."""

    name: str
    difference: Figure
    p_value: float
    test: str
    num_first_only: int | None = None
    num_second_only: int | None = None

    def is_worse(self, alpha: float) -> bool:
        """The new one is worse, and chance does not explain it at level `alpha`."""
        value = self.difference["value"]
        return (value > 0 if is_lower_better(self.name) else value < 0) and self.p_value < alpha

    def beside(self, alpha: float) -> Beside:
        return Beside(
            name=self.test,
            difference=self.difference["value"],
            p_value=self.p_value,
            is_worse=self.is_worse(alpha),
        )


def paired(found: Answered, live: Answered, name: str, rows: Mask | None = None) -> Paired | None:
    """A figure of two models on the same rows, or on some of them; None where it is not of the same rows for both.

    McNemar's exact test where the figure is a share of rows that are right, DeLong's of an AUC, else the paired
    bootstrap: twice the share of resamples on the other side of no difference.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 16.
    """
    if rows is not None and not rows.any():
        return None
    ours, theirs = found.sums_of(name), live.sums_of(name)
    if ours is not None and theirs is not None:
        if rows is not None:
            ours, theirs = ours.among(rows), theirs.among(rows)
        return _of_sums(name, ours, theirs, found.seed)
    if rows is not None:
        found, live = found.among(rows), live.among(rows)
    if name not in found.figures or name not in live.figures or found.labels is None or live.labels is None:
        return None
    if name == "auc":
        return _of_areas(found, live)
    if name == "macro_f1":
        with keeping() as kept:
            difference = compare(*found.labels, live.labels[1], seed=found.seed)[name]
        return Paired(name=name, difference=difference, p_value=_two_sided(kept[name].values), test=BOOTSTRAP)
    return None


def beside_live(found: Answered, live: Answered, name: str, *, alpha: float) -> JSON:
    """What the report says of the live model called `name`.

    Raises:
        InputError: it is for another task.
    """
    if found.task != live.task:
        raise InputError(
            f"live: must be a model for {found.task}; got one for {live.task}",
            parameter="live",
            remedy="Deploy the new task under a name of its own.",
        )
    pairs = {figure: paired(found, live, figure) for figure in found.figures if figure in live.figures}
    known = _known(live)
    about: JSON = {
        "name": name,
        "metrics": live.figures,
        "difference": {figure: one.difference for figure, one in pairs.items() if one},
        "alpha": alpha,
        "figure": found.main,
        "tests": {figure: {"test": one.test, "p_value": one.p_value} for figure, one in pairs.items() if one},
    }
    main = pairs.get(found.main)
    if main is not None:
        about |= {"p_value": main.p_value, "test": main.test}
    if main is not None and main.num_first_only is not None:
        about |= {"num_model_only": main.num_first_only, "num_live_only": main.num_second_only}
    if known is not None and found.labels is not None:
        strange = Counter(label for label, is_known in zip(found.labels[0], known, strict=True) if not is_known)
        among = paired(found, live, found.main, known)
        about |= {
            "unknown_labels": dict(sorted(strange.items())),
            "known": {
                "num_rows": int(known.sum()),
                found.main: _rounded(found.value(found.main, known)),
                f"live_{found.main}": _rounded(live.value(found.main, known)),
                "p_value": among.p_value if among else None,
            },
        }
    return about


def live_gates(
    found: Answered, live: Answered, slices: JSON | None, *, tolerance: float, alpha: float
) -> list[Verdict]:
    """The gates that hold where none names the live model: not much worse than it, and not significantly worse.

    Of the main figure over the rows whose label the live model knows; and no slice that is judged is significantly worse,
    Holm's p over all of them.
    """
    name, known = found.main, _known(live)
    rows = np.ones(len(found.answers), np.bool_) if known is None else known
    value, other = found.value(name, rows), live.value(name, rows)
    # Of a share the tolerance is in points; of another figure it is a share of the live model's.
    room = tolerance if found.labels is not None and not is_lower_better(name) else tolerance * abs(other)
    sign, side = ("<=", "+") if found.lower else (">=", "-")
    allowed = f"{sign} live {side} {room:.4g}"
    if not (math.isfinite(value) and math.isfinite(other)):
        reason = f"{name}: must be {allowed}; there is no live to compare {name} with, and a gate that cannot be computed blocks"  # fmt: skip
        return [Verdict(name=name, allowed=allowed, value=None, passed=False, reason=reason)]
    limit = other + room if found.lower else other - room
    passed = value <= limit + 1e-9 if found.lower else value >= limit - 1e-9
    reason = "" if passed else f"{name}: must be {allowed} ({limit:.4f}); it is {value:.4f}"
    verdicts = [Verdict(name=name, allowed=allowed, value=round(value, 6), passed=passed, reason=reason)]
    if (test := paired(found, live, name, rows)) is not None:
        verdicts.append(_not_worse(test, alpha))
    if slices is not None and (on_slices := _slices_not_worse(found, live, slices, rows, alpha)) is not None:
        verdicts.append(on_slices)
    return verdicts


def _not_worse(test: Paired, alpha: float) -> Verdict:
    worse = test.is_worse(alpha)
    alone = (
        f"only the live model is right on {test.num_second_only} rows, only this one on {test.num_first_only}"
        if test.num_first_only is not None
        else f"it is {abs(test.difference['value']):.4f} worse"
    )
    reason = (
        f"{test.name}: must not be significantly worse than that of the live model; {alone} "
        f"({test.test}, p = {test.p_value:.4g} < {alpha:g})"
    )
    return Verdict(
        name=f"{test.name} against live",
        allowed=f"not significantly worse (alpha = {alpha:g})",
        value=test.p_value,
        passed=not worse,
        reason=reason if worse else "",
    )


def _slices_not_worse(found: Answered, live: Answered, slices: JSON, known: Mask, alpha: float) -> Verdict | None:
    pairs = [
        (f"{group.column}={group.name}", test)
        for group in sliced_rows(found, slices)
        if (test := paired(found, live, str(slices["figure"]), group.rows & known)) is not None
    ]
    if not pairs:
        return None
    adjusted = holm([test.p_value for _, test in pairs])
    lower = is_lower_better(slices["figure"])
    worse = [
        f"{name} by {abs(test.difference['value']):.4f} (p = {p_value:.2g})"
        for (name, test), p_value in zip(pairs, adjusted, strict=True)
        if p_value < alpha and (test.difference["value"] > 0) == lower and test.difference["value"]
    ]
    shown = "; ".join(worse[:MAX_WORSE_SHOWN])
    return Verdict(
        name="slices against live",
        allowed=f"none significantly worse (alpha = {alpha:g}, Holm)",
        value=float(len(worse)),
        passed=not worse,
        reason=f"slices: {len(worse)} of {len(pairs)} are significantly worse than with the live model: {shown}"
        if worse
        else "",
    )


def _known(live: Answered) -> Mask | None:
    """(N,) the rows whose label the live model can give; None where it does not tell its labels."""
    if live.chances is None or live.labels is None:
        return None
    names = set(live.chances.labels)
    return np.array([label in names for label in live.labels[0]], np.bool_)


def _of_sums(name: str, ours: Sums, theirs: Sums, seed: int) -> Paired | None:
    if len(ours.rows) == 0 or not np.array_equal(ours.rows, theirs.rows):
        return None
    value = ours.value(name) - theirs.value(name)
    drawn = _drawn(name, ours, theirs, seed)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    difference = _figure(value, min(float(low), value), max(float(high), value), len(ours.rows))
    if ours.is_share(name) and theirs.is_share(name):
        test = mcnemar((ours.each(name) > 0).tolist(), (theirs.each(name) > 0).tolist())
        return Paired(
            name=name,
            difference=difference,
            p_value=test.p_value,
            test=MCNEMAR,
            num_first_only=test.num_first_only,
            num_second_only=test.num_second_only,
        )
    return Paired(name=name, difference=difference, p_value=_two_sided(drawn), test=BOOTSTRAP)


def _drawn(name: str, ours: Sums, theirs: Sums, seed: int) -> Floats:
    """(R,) the difference in resamples of rows, the same rows for both."""
    width = ours.numbers_nk.shape[1]
    both, counts = np.unique(np.hstack([ours.numbers_nk, theirs.numbers_nk]), axis=0, return_counts=True)
    random, num_rows = np.random.default_rng(seed), int(counts.sum())
    chunk = max(1, CHUNK_NUMBERS // len(counts))
    parts = []
    for start in range(0, NUM_RESAMPLES, chunk):
        times = random.multinomial(num_rows, counts / num_rows, size=min(chunk, NUM_RESAMPLES - start))
        sums = times @ both
        first, second = ours.combine(sums[:, :width]), theirs.combine(sums[:, width:])
        parts.append(first[:, ours.names.index(name)] - second[:, theirs.names.index(name)])
    return np.concatenate(parts)


def _two_sided(drawn: Floats) -> float:
    """Never 0: as many resamples say no less than one in that many."""
    side = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return round(min(1.0, 2 * (side + 1) / (len(drawn) + 1)), 6)


def _of_areas(found: Answered, live: Answered) -> Paired | None:
    ours, theirs = found.chances, live.chances
    if ours is None or theirs is None or len(ours.labels) != 2 or set(ours.labels) != set(theirs.labels):
        return None
    positive = np.array([str(label) == ours.labels[1] for label in found.truth["label"]])
    if not 0 < positive.sum() < len(positive):
        return None
    scores = (one.probabilities[:, one.labels.index(ours.labels[1])] for one in (ours, theirs))
    difference = auc_difference(positive, *scores)
    spread = (difference["high"] - difference["low"]) / 3.92
    return Paired(name="auc", difference=difference, p_value=round(p_of(difference["value"], spread**2, math.inf), 6), test=DELONG)  # fmt: skip


def _figure(value: float, low: float, high: float, num_rows: int) -> Figure:
    return Figure(value=round(value, 6), low=round(low, 6), high=round(high, 6), n=num_rows)


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
