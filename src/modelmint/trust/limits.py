"""What a buyer should know before relying on a model: sentences that follow from the figures, the gravest first."""

from collections.abc import Iterator, Sequence

from modelmint.core.figures import written
from modelmint.core.formats import percent, short
from modelmint.trust.figures import WEAK_BELOW, Figures, Quality
from modelmint.trust.tasks import CLASSES
from modelmint.trust.telling import figure_within
from modelmint.trust.words import Words

FEW_TEST_ROWS = 10  # of one label: its figures jump by 10 points and more when one answer changes
SURE_POINTS = 5.0  # how far scores may be from the truth on average before it is a limit
UNEVEN = 10
MANY_UNKNOWN = 0.02  # a base for another language
NUM_NAMED = 5
UNKNOWN_LICENCE = "unknown"  # what a stage writes where it looked and found none


def limits(figures: Figures, words: Words) -> list[str]:
    """Plain sentences in the language of `words`. Names from the data are cut, not escaped."""
    return [
        *_verdicts(figures, words),
        *_quality(figures, words),
        *_labels(figures, words),
        *_texts(figures, words),
        *_always(figures, words),
    ]


def _verdicts(figures: Figures, words: Words) -> Iterator[str]:
    for reason in figures.refused:
        yield words("limit_refused", reason=reason.rstrip("."))
    for one in figures.overrides:
        yield words("limit_overridden", by=one["by"], stage=one["stage"], reason=one["reason"].rstrip("."))
    if figures.quality.lead_low is not None and figures.quality.lead_low <= 0:
        yield words("limit_baseline")


def _quality(figures: Figures, words: Words) -> Iterator[str]:
    main, parity, figure = figures.quality.main, figures.parity, figures.quality.figure
    if main is not None and main.low is not None and main.high is not None:
        low, high = written(figure, main.low), written(figure, main.high)
        yield words("limit_size", n=f"{main.n or 0:,}", figure=figure_within(figure, words), low=low, high=high)
    if parity.get("accuracy_served") is not None and parity["accuracy_served"] < parity.get("accuracy_model", 0):
        yield words(
            "limit_served",
            n=f"{parity.get('num_rows', 0):,}",
            served=percent(parity["accuracy_served"]),
            trained=percent(parity["accuracy_model"]),
        )
    points = sure_points(figures.quality)
    if abs(points) >= SURE_POINTS:
        yield words("limit_too_sure" if points > 0 else "limit_too_shy", points=f"{abs(points):.0f}")


def _labels(figures: Figures, words: Words) -> Iterator[str]:
    quality, num_labels = figures.quality, len(figures.labels)
    if quality.weak:
        yield words(
            "limit_weak",
            limit=f"{WEAK_BELOW:.2f}",
            names=_named([f"{short(row.label)} ({row.f1:.2f})" for row in quality.weak], words),
        )
    tested = {row.label for row in quality.classes if row.support}
    untested = [label for label in figures.labels if label not in tested]
    if untested and quality.classes:
        yield words("limit_untested", names=_named([short(label) for label in untested], words))
    strange = [row for row in quality.classes if row.support and row.label not in set(figures.labels)]
    if strange and figures.labels:
        yield words("limit_strange", names=_named([short(row.label) for row in strange], words))
    if figures.alike:
        yield words(
            "limit_alike", names=_named([" / ".join(short(name) for name in names) for names in figures.alike], words)
        )
    few = [row for row in quality.classes if 0 < row.support < FEW_TEST_ROWS]
    if few:
        yield words("limit_few", count=len(few), total=num_labels, few=FEW_TEST_ROWS)
    if quality.confusions and quality.confusions[0]["count"] > 1:
        worst = quality.confusions[0]
        yield words(
            "limit_confused", truth=short(worst["truth"]), predicted=short(worst["predicted"]), count=worst["count"]
        )
    trained = [row.num_train for row in quality.classes if row.num_train]
    if trained and max(trained) >= UNEVEN * min(trained):
        yield words("limit_uneven", low=f"{min(trained):,}", high=f"{max(trained):,}")


def _texts(figures: Figures, words: Words) -> Iterator[str]:
    num_conflicts = figures.rows.reasons.get("label_conflict", 0)
    if num_conflicts:
        yield words("limit_conflicts", n=f"{num_conflicts:,}")
    tokens = figures.tokens
    if tokens is not None and tokens.num_truncated and tokens.share_truncated is not None and tokens.max_tokens:
        yield words("limit_truncated", share=percent(tokens.share_truncated), n=f"{tokens.max_tokens:,}")
    if tokens is not None and (tokens.share_unknown or 0) > MANY_UNKNOWN:
        yield words("limit_unknown", share=percent(tokens.share_unknown or 0))
    yield words("limit_not_masked" if figures.masked is None else "limit_masked")


def _always(figures: Figures, words: Words) -> Iterator[str]:
    if figures.labels and figures.task in CLASSES:
        yield words("limit_closed", n=f"{len(figures.labels):,}")
    if figures.languages:
        yield words("limit_language", languages=words.languages(figures.languages))
    yield words("limit_drift")
    if not figures.licences:
        yield words("licence_none")
    elif UNKNOWN_LICENCE in figures.licences:
        yield words("limit_licence")


def sure_points(quality: Quality) -> float:
    """By how many points the scores are too high on average; below zero when too low, zero when not measured."""
    num_rows = sum(one["num_rows"] for one in quality.bins)
    return (
        100 * sum(one["num_rows"] * (one["confidence"] - one["accuracy"]) for one in quality.bins) / num_rows
        if num_rows
        else 0.0
    )


def _named(names: Sequence[str], words: Words) -> str:
    mark = "、" if words.language == "zh" else ", "
    more = len(names) - NUM_NAMED
    return mark.join(names[:NUM_NAMED]) + (f"{mark}{words('limit_more', n=more)}" if more > 0 else "")
