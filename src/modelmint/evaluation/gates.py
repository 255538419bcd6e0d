"""The language of gates: what a figure must be before a model goes on.

    gates:
      accuracy: [">= 0.90", ">= baseline + 0.02", ">= live - 0.01"]
      macro_f1: ">= 0.80"

A gate that cannot be computed blocks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from modelmint.core.errors import InputError
from modelmint.core.gates import NUMBER, OPERATORS, Verdict, blocked, holds, plain, unknown_gate

REFERENCES = ("baseline", "live")
SHARES = frozenset({
    "accuracy", "macro_f1", "micro_f1", "ece", "f1", "precision", "recall", "subset_accuracy", "jaccard", "exact_match",
    "finished", "recall_at_10", "ndcg_at_10", "mrr_at_10", "accuracy_at_1", "hit_rate_at_10", "reward_accuracy", "auc",
})  # fmt: skip
"""Figures from 0 to 1."""
LOWER_IS_BETTER = frozenset({
    "log_loss", "ece", "rmse", "mae", "loss", "perplexity", "bits_per_byte", "bits_per_character", "answer_loss",
})  # fmt: skip
OTHERS = frozenset({"r2", "pearson", "spearman", "bleu", "chrf", "rouge_l", "margin", "reward_margin", "mean_labels"})
METRICS = tuple(sorted(SHARES | LOWER_IS_BETTER | OTHERS))
"""Every figure that a task has (`evaluation.metrics`); those of one label or type are written ``f1:PER``."""
ALONE = frozenset({"log_loss", "ece"})
"""Of the classification of texts these are not known of the baseline and the live model."""

Figures = Mapping[str, float]

_GATE = re.compile(
    rf"(?P<operator>>=|<=|>|<)\s*(?:(?P<constant>{NUMBER})"
    rf"|(?P<reference>[a-z]+)(?:\s*(?P<sign>[+-])\s*(?P<offset>{NUMBER}))?)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition: the metric, compared with a number or with the same metric of a reference plus that number."""

    metric: str
    operator: str
    number: float
    reference: Literal["baseline", "live"] | None = None

    @property
    def allowed(self) -> str:
        if self.reference is None:
            return f"{self.operator} {self.number:g}"
        offset = f" {'-' if self.number < 0 else '+'} {abs(self.number):g}" if self.number else ""
        return f"{self.operator} {self.reference}{offset}"


def parse(gates: Mapping[str, object]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: metric -> one condition or a list of them.

    Raises:
        InputError: an unknown metric, a condition that is not in the language, or one that can never hold.
    """
    return tuple(_gate(metric, text) for metric, conditions in gates.items() for text in _listed(metric, conditions))


def judge(
    gates: Sequence[Gate], figures: Figures, *, baseline: Figures | None = None, live: Figures | None = None
) -> list[Verdict]:
    """Hold every gate against the figures; a missing figure or reference fails its gate."""
    references = {"baseline": baseline, "live": live}
    return [_verdict(gate, figures, references) for gate in gates]


def _verdict(gate: Gate, figures: Figures, references: Mapping[str, Figures | None]) -> Verdict:
    value = figures.get(gate.metric)
    if value is None or not math.isfinite(value):
        return blocked(gate.metric, gate.allowed, f"{gate.metric} could not be computed")
    limit = gate.number
    if gate.reference is not None:
        other = (references[gate.reference] or {}).get(gate.metric)
        if other is None or not math.isfinite(other):
            return blocked(
                gate.metric, gate.allowed, f"there is no {gate.reference} to compare {gate.metric} with", value
            )
        limit += other
    passed = holds(value, gate.operator, limit)
    against = f"{gate.allowed} ({limit:.4f})" if gate.reference else gate.allowed
    reason = "" if passed else f"{gate.metric}: must be {against}; it is {value:.4f}"
    return Verdict(name=gate.metric, allowed=gate.allowed, value=round(value, 6), passed=passed, reason=reason)


def _listed(metric: str, conditions: object) -> Sequence[str]:
    listed = [conditions] if isinstance(conditions, str) else conditions
    if metric.partition(":")[0] not in METRICS:
        raise unknown_gate(metric, METRICS)
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(text, str) for text in listed):
        raise _wrong(metric, conditions)
    return cast("Sequence[str]", listed)


def _gate(metric: str, text: str) -> Gate:
    found = _GATE.fullmatch(plain(text))
    if found is None or found["reference"] not in (None, *REFERENCES):
        raise _wrong(metric, text)
    if found["reference"] and metric in ALONE:
        raise InputError(
            f"gates.{metric}: cannot be compared with {found['reference']}, of which it is not known; got {text!r}",
            parameter=f"gates.{metric}",
            remedy='Give a number, like "<= 0.1".',
        )
    number = float(found["constant"] or found["offset"] or 0)
    if metric.partition(":")[0] in SHARES and number > 1:
        raise InputError(
            f"gates.{metric}: must compare with a share from 0 to 1; got {text!r}",
            parameter=f"gates.{metric}",
            remedy=f'Write 90 % as 0.90: "{found["operator"]} 0.90".',
        )
    return Gate(
        metric=metric,
        operator=found["operator"],
        number=-number if found["sign"] == "-" else number,
        reference=cast('Literal["baseline", "live"] | None', found["reference"]),
    )


def _wrong(metric: str, given: object) -> InputError:
    return InputError(
        f"gates.{metric}: must be {', '.join(OPERATORS)} and a number, or {' or '.join(REFERENCES)} plus or minus a "
        f"number, as text, or a list of such texts; got {given!r}",
        parameter=f"gates.{metric}",
        remedy='Write it like ">= 0.90", ">= baseline + 0.02" or ">= live - 0.01".',
    )
