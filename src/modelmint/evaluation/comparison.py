"""A new model beside the live one, on the same rows: the difference, its interval, and whether chance explains it.

Labels that the live model does not know would make any new model look better; so the default gates look only at the
rows whose label it knows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from modelmint.core.gates import Verdict
from modelmint.core.types import JSON
from modelmint.evaluation.gates import Gate, judge
from modelmint.evaluation.metrics.classification import compare, measure
from modelmint.evaluation.predict import Predictions
from modelmint.evaluation.significance import Figure, PairedTest, mcnemar


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The new model (first) and the live one (second).

    `known_*` are over the rows whose label the live model knows; None where there is no such row.
    """

    name: str
    metrics: dict[str, Figure]
    difference: dict[str, Figure]
    paired: PairedTest
    unknown_labels: dict[str, int]
    num_known: int
    known_accuracy: float | None
    known_live_accuracy: float | None
    known_paired: PairedTest

    def to_json(self, alpha: float) -> JSON:
        """For the facts of a report."""
        return {
            "name": self.name,
            "metrics": self.metrics,
            "difference": self.difference,
            "alpha": alpha,
            "p_value": self.paired.p_value,
            "num_model_only": self.paired.num_first_only,
            "num_live_only": self.paired.num_second_only,
            "unknown_labels": self.unknown_labels,
            "known": {
                "num_rows": self.num_known,
                "accuracy": self.known_accuracy,
                "live_accuracy": self.known_live_accuracy,
                "p_value": self.known_paired.p_value,
            },
        }


def against_live(
    truth: Sequence[str], predicted: Sequence[str], name: str, answers: Predictions, *, seed: int
) -> Comparison:
    """Compare predictions with the answers of the live model called `name`.

    A row whose label the live model cannot give counts as its error.
    """
    others = answers.predicted
    known_labels = set(answers.labels)
    known = [at for at, label in enumerate(truth) if label in known_labels]
    correct = [one == other for one, other in zip(truth, predicted, strict=True)]
    live_correct = [one == other for one, other in zip(truth, others, strict=True)]
    return Comparison(
        name=name,
        metrics=measure(truth, others, seed=seed),
        difference=compare(truth, predicted, others, seed=seed),
        paired=mcnemar(correct, live_correct),
        unknown_labels=dict(sorted(Counter(label for label in truth if label not in known_labels).items())),
        num_known=len(known),
        known_accuracy=_share(correct, known),
        known_live_accuracy=_share(live_correct, known),
        known_paired=mcnemar([correct[at] for at in known], [live_correct[at] for at in known]),
    )


def live_gates(live: Comparison, *, tolerance: float, alpha: float) -> list[Verdict]:
    """The gates that hold where none names the live model: not much worse than it, and not significantly worse."""
    gate = Gate(metric="accuracy", operator=">=", reference="live", number=-tolerance)
    verdicts = judge([gate], _figure(live.known_accuracy), live=_figure(live.known_live_accuracy))
    test = live.known_paired
    worse = test.first_is_worse(alpha)
    reason = (
        f"accuracy: must not be significantly worse than that of the live model; only the live model is right on "
        f"{test.num_second_only} rows, only this one on {test.num_first_only} (McNemar's exact test, "
        f"p = {test.p_value:.4g} < {alpha:g})"
    )
    return [
        *verdicts,
        Verdict(
            name="accuracy against live",
            allowed=f"not significantly worse (alpha = {alpha:g})",
            value=test.p_value,
            passed=not worse,
            reason=reason if worse else "",
        ),
    ]


def _share(correct: Sequence[bool], rows: Sequence[int]) -> float | None:
    return round(sum(correct[at] for at in rows) / len(rows), 6) if rows else None


def _figure(accuracy: float | None) -> dict[str, float]:
    return {} if accuracy is None else {"accuracy": accuracy}
