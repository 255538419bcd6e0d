"""What was measured, read out of the reports of a run. A figure that is missing is None or empty, never made up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from modelmint.core import tables
from modelmint.core.figures import is_lower_better, written
from modelmint.core.types import JSON, Dataset, Model, Report

TRAINED = "safetensors"  # what the trained model is called beside its variants
MOST_SHOWN = 6
WEAK_BELOW = 0.8  # an F1 below this is called weak


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A figure with its 95 % interval and the number of rows behind it; None where it was not measured."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @classmethod
    def read(cls, given: Any) -> Self | None:
        if not isinstance(given, Mapping) or given.get("value") is None:
            return None
        return cls(value=float(given["value"]), low=given.get("low"), high=given.get("high"), n=given.get("n"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassFigures:
    """One label: its figures on the test set; `support` test rows and `num_train` training rows have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    num_train: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """The evaluation report."""

    figure: str
    """The task's main figure."""
    metrics: Mapping[str, Metric]
    baseline_name: str | None
    baseline: Mapping[str, Metric]
    live: Mapping[str, Metric]
    lead_low: float | None
    """The lower end of the interval of how much better the main figure is than the baseline's."""
    classes: Sequence[ClassFigures]
    """By F1, the worst first."""
    confusions: Sequence[JSON]
    bins: Sequence[JSON]
    ece: float | None
    gates: Sequence[JSON]
    refused: Sequence[str]

    @property
    def main(self) -> Metric | None:
        return self.metrics.get(self.figure)

    @property
    def shown(self) -> list[str]:
        """The figures to show, the main one first; not those of one label or type."""
        others = [name for name in self.metrics if name != self.figure and ":" not in name]
        return [name for name in (self.figure, *others) if name in self.metrics][:MOST_SHOWN]

    @property
    def weak(self) -> list[ClassFigures]:
        return [row for row in self.classes if row.support and row.f1 < WEAK_BELOW]


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantFigures:
    """One way to serve the model. Times are of one text; `cost_per_million` is an amount with its currency."""

    name: str
    chosen: bool
    size_bytes: int | None
    worth: Metric | None
    """The task's main figure."""
    agreement: float | None
    p50_ms: float | None
    p95_ms: float | None
    throughput_per_s: float | None
    cost_per_million: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Where the rows went. `num_in` counts what was read before any was put aside, without feedback."""

    num_in: int
    reasons: Mapping[str, int]
    num_train: int
    num_validation: int
    num_test: int
    num_feedback: int
    num_feedback_kept: int
    num_new: int
    """Training rows that feedback brought: each kept entry as often as it is repeated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """How long the texts are, in tokens of the base's tokenizer. `bins` are (low, high, number of rows)."""

    bins: Sequence[tuple[float, float, int]]
    max_tokens: int | None
    num_truncated: int | None
    share_truncated: float | None
    share_unknown: float | None
    """The share of the tokens that the base does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All that the card and the page say."""

    name: str
    digest: str
    task: str
    labels: Sequence[str]
    base: str | None
    languages: Sequence[str]
    licences: Sequence[str]
    quality: Quality
    variants: Sequence[VariantFigures]
    compression_refused: Sequence[str]
    parity: JSON
    parity_measured: JSON
    rows: Rows
    tokens: Tokens | None
    estimate: JSON
    """What preflight expected of training: `seconds`, `memory_bytes`."""
    max_tokens: int | None
    masked: Mapping[str, int] | None
    """Kind of personal data -> how many were masked; None when nobody looked."""
    alike: Sequence[Sequence[str]]
    """Labels that differ only in case or spaces."""
    trained: JSON
    """The facts of training: `history`, `best_epoch`, `epochs`, `parameters`."""
    training: JSON
    """What training took: `seconds`, `memory_bytes`, `examples_per_s`."""
    overrides: Sequence[JSON] = ()
    """What a person let pass although a gate refused it: `stage`, `by`, `reason`."""

    @property
    def chosen(self) -> VariantFigures | None:
        return next((variant for variant in self.variants if variant.chosen), None)

    @property
    def refused(self) -> list[str]:
        """Why gates refused, over all stages."""
        return [*self.quality.refused, *self.compression_refused, *self.parity.get("refused", [])]


def quality(evaluation: Report, train_rows: Mapping[str, int]) -> Quality:
    """Read an evaluation report; `train_rows` is the number of training rows of each label."""
    facts = evaluation.facts
    metrics = _metrics(facts.get("metrics"))
    figure = str(facts.get("figure") or next(iter(metrics), "accuracy"))
    beside, calibration = facts.get("baseline") or {}, facts.get("calibration") or {}
    classes = [
        ClassFigures(
            label=str(row["label"]),
            precision=float(row["precision"]),
            recall=float(row["recall"]),
            f1=float(row["f1"]),
            support=int(row["support"]),
            num_train=train_rows.get(str(row["label"]), 0),
        )
        for row in facts.get("per_class", [])
        if "f1" in row
    ]
    return Quality(
        figure=figure,
        metrics=metrics,
        baseline_name=beside.get("name"),
        baseline=_metrics(beside.get("metrics")),
        live=_metrics((facts.get("live") or {}).get("metrics")),
        lead_low=_lead_low(figure, (beside.get("difference") or {}).get(figure) or {}),
        classes=sorted(classes, key=lambda row: (row.f1, row.label)),
        confusions=facts.get("confusions", []),
        bins=[one for one in calibration.get("bins", []) if one.get("num_rows")],
        ece=calibration.get("ece"),
        gates=facts.get("gates", []),
        refused=facts.get("refused", []),
    )


def variants(compression: Report, model: Model) -> list[VariantFigures]:
    """Read a compression report: facts and what was measured, side by side; first the model as it was trained."""
    facts, measured = compression.facts, compression.measured.get("variants") or {}
    figure = str(facts.get("metric", "accuracy"))
    weights = [file["size_bytes"] for file in model.manifest["files"] if str(file["path"]).endswith(".safetensors")]
    trained = (
        [
            _variant(
                {"name": TRAINED, **facts["model"], "size_bytes": sum(weights)},
                compression.measured.get("model") or {},
                figure,
            )
        ]
        if facts.get("model") and weights
        else []
    )
    return [*trained, *(_variant(fact, measured.get(fact["name"]) or {}, figure) for fact in facts.get("variants", []))]


def rows(
    *, train: Dataset, validation: Dataset | None, test: Dataset, quarantine: Sequence[Dataset], curation: Report | None
) -> Rows:
    """Count the rows of every part; nothing is dropped without a quarantine, so their sum is what came in."""
    reasons: Counter[str] = Counter()
    for dataset in quarantine:
        reasons.update(tables.column(dataset, "reason"))
    learned = curation.facts if curation is not None else {}
    reasons.subtract(learned.get("quarantined", {}))
    put_aside = {reason: count for reason, count in reasons.most_common() if count > 0}
    num_validation = validation.num_rows if validation is not None else 0
    num_new = int(learned.get("kept", 0)) * int(learned.get("repeat", 1))
    return Rows(
        num_in=train.num_rows - num_new + num_validation + test.num_rows + sum(put_aside.values()),
        reasons=put_aside,
        num_train=train.num_rows,
        num_validation=num_validation,
        num_test=test.num_rows,
        num_feedback=int(learned.get("entries", 0)),
        num_feedback_kept=int(learned.get("kept", 0)),
        num_new=num_new,
    )


def tokens(preflight: Report | None, max_tokens: int | None) -> Tokens | None:
    """Read the lengths that preflight counted; None where it counted none."""
    counted = preflight.facts.get("tokens") if preflight is not None else None
    if preflight is None or not counted:
        return None
    cut, drawn = preflight.facts.get("truncated") or {}, counted.get("histogram") or {}
    edges, counts = drawn.get("edges", []), drawn.get("counts", [])
    last = max((at for at, count in enumerate(counts) if count), default=-1)
    return Tokens(
        bins=list(zip(edges, edges[1:], counts, strict=False))[: last + 1],
        max_tokens=cut.get("limit", max_tokens),
        num_truncated=cut.get("rows"),
        share_truncated=cut.get("share"),
        share_unknown=counted.get("unknown_share"),
    )


def _metrics(given: Any) -> dict[str, Metric]:
    read = {name: Metric.read(figure) for name, figure in (given or {}).items()}
    return {name: figure for name, figure in read.items() if figure is not None}


def _variant(fact: JSON, measured: JSON, figure: str) -> VariantFigures:
    return VariantFigures(
        name=str(fact["name"]),
        chosen=bool(fact.get("chosen")),
        size_bytes=fact.get("size_bytes"),
        worth=Metric.read((fact.get("metrics") or {}).get(figure)),
        agreement=fact.get("agreement"),
        p50_ms=measured.get("p50_ms"),
        p95_ms=measured.get("p95_ms"),
        throughput_per_s=measured.get("throughput_per_s"),
        cost_per_million=measured.get("cost_per_million"),
    )


def _lead_low(figure: str, difference: Mapping[str, Any]) -> float | None:
    """Of a figure that is better low, how much lower it surely is."""
    if is_lower_better(figure):
        return -difference["high"] if difference.get("high") is not None else None
    return difference.get("low")


def interval(name: str, metric: Metric) -> str:
    """``92.7–94.4%``, ``38.3–41.5``; empty where none was measured."""
    if metric.low is None or metric.high is None:
        return ""
    return f"{written(name, metric.low).removesuffix('%')}–{written(name, metric.high)}"
