"""The page to send: one HTML file that asks nothing of the network and runs nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from modelmint import __version__
from modelmint.core import charts
from modelmint.core.clock import now
from modelmint.core.figures import written
from modelmint.core.formats import milliseconds, percent, seconds, short, size
from modelmint.trust import plots, telling
from modelmint.trust.figures import WEAK_BELOW, ClassFigures, Figures, VariantFigures, interval
from modelmint.trust.words import Words

if TYPE_CHECKING:
    from modelmint.trust.report import ReportSpec

NUM_COMPARED = 2
NUM_WORST = 25
NUM_CONFUSIONS = 10


class Headline(TypedDict):
    """One large figure, what it is, and what to read it against."""

    name: str
    value: str
    unit: str
    notes: Sequence[str]


def page(spec: "ReportSpec", title: str, figures: Figures, limits: Sequence[str], words: Words) -> str:
    """The text of ``report.html``. Jinja2 escapes everything; the drawings escape for themselves."""
    quality = figures.quality
    return (
        telling.environment("html", words)
        .get_template("page.html")
        .render(
            title=title,
            spec=spec,
            figures=figures,
            quality=quality,
            limits=limits,
            rows=figures.rows,
            tokens=figures.tokens,
            lead=telling.lead(figures, words),
            baseline_way=telling.baseline_way(figures, words),
            headlines=_headlines(spec, figures, words),
            refused=bool(figures.refused),
            parity_refused=bool(figures.parity.get("refused")),
            parity=telling.parity(figures, words),
            parameters=telling.parameters(figures, words),
            kept_epoch=telling.kept_epoch(figures, words),
            gates=telling.gates(figures, words),
            worst=_classes(quality.classes[:NUM_WORST]),
            others=_classes(quality.classes[NUM_WORST:]),
            strip=plots.strip(figures) if quality.classes else {},
            confusions=_confusions(figures),
            num_wrong=_num_wrong(figures),
            kept=telling.kept(figures, words),
            masked=[(words.masked(kind), count) for kind, count in _masked(figures)],
            estimate=_estimate(figures, words),
            variants=_variants(figures, words),
            has_cost=spec.show_cost and any(one.cost_per_million for one in figures.variants),
            languages=words.languages(figures.languages),
            plots=_plots(figures, words),
            compared=_compared(figures, words),
            learned_title=words("validation_title", figure=words.figure(plots.learned_figure(figures))),
            figure_name=words.figure(quality.figure),
            across=plots.across(figures),
            version=__version__,
            weak_below=WEAK_BELOW,
            date=now().date().isoformat(),
        )
    )


def _plots(figures: Figures, words: Words) -> dict[str, object]:
    return {
        "calibration": plots.calibration(figures, words),
        "strip": plots.all_classes(figures, words),
        "flow": plots.rows(figures, words),
        "lengths": plots.lengths(figures, words),
        "loss": plots.loss(figures, words),
        "learned": plots.learned(figures, words),
        "latency": plots.latency(figures, words),
    }


def _compared(figures: Figures, words: Words) -> list[tuple[str, object]]:
    """The first figures as drawings, each with its title."""
    quality, key = figures.quality, "figure_title" if figures.quality.baseline else None
    drawn = [(name, plots.figure(figures, words, name)) for name in quality.shown[:NUM_COMPARED]]
    titled = [(words(key, figure=words.figure(name)) if key else words.figure(name), one) for name, one in drawn]
    return [(title, one) for title, one in titled if one]


def _headlines(spec: "ReportSpec", figures: Figures, words: Words) -> list[Headline]:
    """The large figures; one that was not measured is left out."""
    quality, served, parity = figures.quality, figures.chosen, figures.parity
    found = [_metric(figures, name, words) for name in quality.shown[:NUM_COMPARED]]
    if served is not None and served.size_bytes is not None:
        found.append(_headline(words("size"), size(served.size_bytes), short(served.name)))
    if served is not None and served.p50_ms is not None:
        tail = [words("p95", p95=milliseconds(served.p95_ms))] if served.p95_ms is not None else []
        found.append(_headline(words("p50"), milliseconds(served.p50_ms), words("one_text"), *tail))
    if spec.show_cost and served is not None and served.cost_per_million:
        found.append(_headline(words("cost"), served.cost_per_million, words("cost_note")))
    if "agreement" in parity:
        found.append(
            _headline(
                words("parity"), percent(parity["agreement"]), words("parity_note", n=f"{parity.get('num_rows', 0):,}")
            )
        )
    return found


def _metric(figures: Figures, name: str, words: Words) -> Headline:
    quality = figures.quality
    limits = interval(name, quality.metrics[name])
    notes = [words("interval"), limits] if limits else []
    if name in quality.baseline:
        notes.append(words("versus", value=written(name, quality.baseline[name].value)))
    return _headline(words.figure(name), written(name, quality.metrics[name].value), *notes)


def _headline(name: str, written: str, *notes: str) -> Headline:
    value, _, unit = written.partition(" ")
    return Headline(name=name, value=value, unit=unit, notes=notes)


def _classes(classes: Sequence[ClassFigures]) -> list[dict[str, object]]:
    return [
        {
            "label": row.label,
            "f1": f"{row.f1:.2f}",
            "precision": f"{row.precision:.2f}",
            "recall": f"{row.recall:.2f}",
            "support": row.support,
            "num_train": row.num_train,
            "bar": charts.bar(row.f1, kind="warn" if row.f1 < WEAK_BELOW else "accent"),
        }
        for row in classes
    ]


def _confusions(figures: Figures) -> list[dict[str, object]]:
    shown = figures.quality.confusions[:NUM_CONFUSIONS]
    most = max((one["count"] for one in shown), default=1)
    return [
        {
            "truth": one["truth"],
            "predicted": one["predicted"],
            "count": one["count"],
            "bar": charts.bar(one["count"] / most, kind="warn"),
        }
        for one in shown
    ]


def _num_wrong(figures: Figures) -> int:
    accuracy = figures.quality.metrics.get("accuracy")
    return round((1 - accuracy.value) * accuracy.n) if accuracy and accuracy.n else 0


def _masked(figures: Figures) -> list[tuple[str, int]]:
    return sorted(((kind, count) for kind, count in (figures.masked or {}).items() if count), key=lambda item: -item[1])


def _estimate(figures: Figures, words: Words) -> list[dict[str, object]]:
    """What was expected of training beside what it took, each with bars on one scale."""
    found: list[dict[str, object]] = []
    for key, name, form in (("seconds", "time", seconds), ("memory_bytes", "memory", size)):
        expected, took = figures.estimate.get(key), figures.training.get(key)
        if took:
            most = max(expected or 0, took)
            found.append(
                {
                    "name": words(name),
                    "took": form(took),
                    "took_bar": charts.bar(took / most),
                    "expected": form(expected) if expected else None,
                    "expected_bar": charts.bar((expected or 0) / most, kind="base"),
                }
            )
    return found


def _variants(figures: Figures, words: Words) -> list[dict[str, object]]:
    largest = max((one.size_bytes or 0 for one in figures.variants), default=0) or 1
    return [_variant(one, figures, largest, words) for one in figures.variants]


def _variant(one: VariantFigures, figures: Figures, largest: int, words: Words) -> dict[str, object]:
    return {
        "name": telling.form(one, words),
        "chosen": one.chosen,
        "cost": one.cost_per_million or "",
        "size": size(one.size_bytes) if one.size_bytes is not None else "",
        "bar": charts.bar((one.size_bytes or 0) / largest, kind="accent" if one.chosen else "base"),
        "worth": written(figures.quality.figure, one.worth.value) if one.worth else "",
        "agreement": percent(one.agreement) if one.agreement is not None else "",
        "p50": milliseconds(one.p50_ms) if one.p50_ms is not None else "",
        "speed": words("per_second", n=f"{one.throughput_per_s:,.0f}") if one.throughput_per_s is not None else "",
    }
