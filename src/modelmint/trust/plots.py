"""The figures of a run as drawings: which chart, which numbers, which words. None where there is nothing to draw."""

from collections.abc import Sequence

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Range, Said, Stream
from modelmint.core.figures import SHARES, is_share, written
from modelmint.core.formats import milliseconds, short
from modelmint.core.svg import Point
from modelmint.trust.figures import WEAK_BELOW, Figures, Metric, interval
from modelmint.trust.words import Words

MAX_REASONS = 6


def figure(figures: Figures, words: Words, name: str) -> Markup | None:
    """A metric of the model with its interval, beside the cheap baseline and the live model."""
    quality = figures.quality
    beside = (
        (words("model"), quality.metrics, "accent"),
        (words("baseline_short"), quality.baseline, "base"),
        (words("live"), quality.live, "base"),
    )
    ranges = [_range(name, label, known[name], kind) for label, known, kind in beside if name in known]
    about = "; ".join(f"{one.label}: {one.written}" for one in ranges)
    said = Said(name=name.replace("_", "-"), title=words("figure_title", figure=words.figure(name)), about=about)
    return charts.intervals(said, ranges, percent=name in SHARES) if ranges else None


def calibration(figures: Figures, words: Words) -> Markup | None:
    """How often the model is right at each score; None without bins."""
    bins = [(float(one["confidence"]), float(one["accuracy"]), int(one["num_rows"])) for one in figures.quality.bins]
    if not bins:
        return None
    about = "; ".join(f"{score:.0%} → {right:.0%} ({count:,})" for score, right, count in bins)
    return charts.reliability(
        Said(name="calibration", title=words("calibration_title"), about=about),
        bins,
        across=words("score"),
        down=words("share_right"),
    )


def all_classes(figures: Figures, words: Words) -> Markup | None:
    """F1 of every label as one strip; None for fewer than three."""
    rows = [row for row in figures.quality.classes if row.support]
    if len(rows) < 3:
        return None
    about = words("strip_note", **strip(figures))
    return charts.columns(
        Said(name="strip", title=words("strip_title", n=f"{len(rows):,}"), about=about),
        [(short(row.label), row.f1) for row in rows],
        weak_below=WEAK_BELOW,
    )


def strip(figures: Figures) -> dict[str, str]:
    """The figures of the strip's note: the median F1 and how many labels are weak."""
    values = sorted(row.f1 for row in figures.quality.classes if row.support)
    return {
        "median": f"{values[len(values) // 2]:.2f}",
        "weak": f"{len(figures.quality.weak):,}",
        "limit": f"{WEAK_BELOW:.2f}",
    }


def rows(figures: Figures, words: Words) -> Markup | None:
    """Rows in, to training, validation, test and what was put aside by reason."""
    counts = figures.rows
    parts = [
        (words("train"), counts.num_train, "accent"),
        (words("validation"), counts.num_validation, "accent mid"),
        (words("test"), counts.num_test, "accent deep"),
    ]
    reasons = list(counts.reasons.items())
    shown = reasons if len(reasons) <= MAX_REASONS else reasons[: MAX_REASONS - 1]
    parts += [(words.reason(reason), count, "warn") for reason, count in shown]
    others = reasons[len(shown) :]
    if others:
        parts.append((words("others", n=len(others)), sum(count for _, count in others), "warn"))
    streams = [
        Stream(label=label, count=count, written=f"{count:,}", kind=kind) for label, count, kind in parts if count
    ]
    if not streams:
        return None
    num_all = counts.num_in + counts.num_new
    whole = (
        words("rows_in", n=f"{num_all:,}")
        if not counts.num_new
        else words("rows_in_feedback", n=f"{counts.num_in:,}", new=f"{counts.num_new:,}")
    )
    about = f"{whole}: " + "; ".join(f"{stream.label} {stream.written}" for stream in streams)
    return charts.flow(Said(name="flow", title=words("flow_title"), about=about), streams, whole=whole)


def lengths(figures: Figures, words: Words) -> Markup | None:
    """How long the texts are, with the line where they are cut; None where it was not measured."""
    tokens = figures.tokens
    if tokens is None or not tokens.bins:
        return None
    about = "; ".join(f"{low:g}–{high:g}: {count:,}" for low, high, count in tokens.bins)
    limit = tokens.max_tokens
    return charts.histogram(
        Said(name="lengths", title=words("tokens_title"), about=about),
        tokens.bins,
        limit=limit,
        limit_label=words("reads", n=f"{limit:,}") if limit else "",
    )


def loss(figures: Figures, words: Words) -> Markup | None:
    """Loss on training and on validation texts over training."""
    lines = [(kind, _points(figures, name)) for kind, name in (("base", "train_loss"), ("accent", "validation_loss"))]
    return _curves(lines, Said(name="loss", title=words("loss_plain"), about=_told(lines)))


def learned(figures: Figures, words: Words) -> Markup | None:
    """The main figure on validation rows over training."""
    name = learned_figure(figures)
    lines = [("accent", _points(figures, f"validation_{name}"))]
    said = Said(name="learned", title=words("validation_title", figure=words.figure(name)), about=_told(lines))
    return _curves(lines, said, percent=is_share(name))


def learned_figure(figures: Figures) -> str:
    """The figure that training watched on the validation rows."""
    seen = [
        key.removeprefix("validation_")
        for one in figures.trained.get("history", [])
        for key in one
        if key.startswith("validation_")
    ]
    known = figures.quality.figure
    return known if known in seen else next((name for name in seen if name != "loss"), known)


def latency(figures: Figures, words: Words) -> Markup | None:
    """Median and 95th percentile of each variant, and of the real endpoint."""
    timed = [(one.name, one.p50_ms, one.p95_ms, "accent" if one.chosen else "base") for one in figures.variants]
    timed.append(
        (words("through_http"), figures.parity_measured.get("p50_ms"), figures.parity_measured.get("p95_ms"), "accent")
    )
    known = [
        charts.Span(
            label=short(label), start=p50, end=p95, written=f"{milliseconds(p50)} – {milliseconds(p95)}", kind=kind
        )
        for label, p50, p95, kind in timed
        if p50 and p95
    ]
    about = "; ".join(f"{one.label}: {one.written}" for one in known)
    return (
        charts.spans(Said(name="latency", title=words("latency_title"), about=about), known, unit="ms")
        if known
        else None
    )


def _range(name: str, label: str, metric: Metric, kind: str) -> Range:
    limits = interval(name, metric)
    return Range(
        label=label,
        value=metric.value,
        low=metric.value if metric.low is None else metric.low,
        high=metric.value if metric.high is None else metric.high,
        kind=kind,
        written=f"{written(name, metric.value)} ({limits})" if limits else written(name, metric.value),
    )


def _points(figures: Figures, name: str) -> list[Point]:
    key = across(figures)
    return [
        (float(one[key]), float(one[name]))
        for one in figures.trained.get("history", [])
        if one.get(name) is not None and one.get(key) is not None
    ]


def across(figures: Figures) -> str:
    """What the history counts: ``epoch`` or ``step``."""
    return "epoch" if any(one.get("epoch") is not None for one in figures.trained.get("history", [])) else "step"


def _curves(lines: Sequence[tuple[str, Sequence[Point]]], said: Said, *, percent: bool = False) -> Markup | None:
    known = [(kind, points) for kind, points in lines if len(points) > 1]
    return charts.curves(said, known, percent=percent) if known else None


def _told(lines: Sequence[tuple[str, Sequence[Point]]]) -> str:
    return "; ".join(f"{points[0][1]:.3g} → {points[-1][1]:.3g}" for _, points in lines if points)
