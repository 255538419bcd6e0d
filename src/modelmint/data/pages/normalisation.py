"""The page of `normalise`: what was fitted on the training rows, and what it changed."""

from typing import Any

from modelmint.core import charts
from modelmint.core.charts import Said, Span
from modelmint.core.pages import Headline, Section, Share, figure, page, table

MAX_DRAWN = 12


def normalisation_page(report: dict[str, Any]) -> str:
    """The text of ``report.html`` from the facts of the report."""
    columns, rows = report["columns"], report["rows"]
    num_filled = sum(sum(found.values()) for found in report["missing"].values())
    num_far = sum(sum(found.values()) for found in report["outliers"].values())
    numbers = {name: one for name, one in columns.items() if one["kind"] == "number"}
    words = {name: one for name, one in columns.items() if one["kind"] == "word"}
    sections = []
    if numbers:
        sections.append(_numbers(numbers, report))
    if words:
        shown = [[name, int(one["summary"]["values"]), one["fill"] if one["fill"] is not None else "left missing",
                  _missing(name, report)] for name, one in words.items()]  # fmt: skip
        headers = ["column", "categories", "a missing cell becomes", "missing"]
        sections.append(Section(heading="Columns of words", parts=[table(headers, shown)]))
    sections.append(_missing_by_set(report))
    return page(
        title="Normalisation",
        lead=f"{len(numbers)} columns of numbers and {len(words)} of words, fitted on {rows['train']:,} training rows "
        "alone; validation and test rows were changed by the same figures.",
        headlines=[
            Headline(name="cells filled", value=f"{num_filled:,}", note="in all three sets"),
            Headline(name="outliers", value=f"{num_far:,}", note=_OUTLIERS[report["spec"]["outliers"]]),
            Headline(name="training rows dropped", value=f"{report['rows_dropped']:,}", note="they are in quarantine"),
        ],
        sections=sections,
        warnings=[one["message"] for one in report["warnings"]],
    )


def _numbers(numbers: dict[str, Any], report: dict[str, Any]) -> Section:
    headers = ["column", "median", "mean", "deviation", "min", "max", "a missing cell becomes", "missing", "outliers"]
    shown = [
        [name, *(one["summary"][key] for key in ("median", "mean", "deviation", "min", "max")),
         "left missing" if one["fill"] is None else f"{one['fill']:.4g}", _missing(name, report),
         sum(found.get(name, 0) for found in report["outliers"].values())]
        for name, one in numbers.items()
    ]  # fmt: skip
    drawn = [(name, one["summary"]) for name, one in numbers.items() if one["summary"]["deviation"] > 0][:MAX_DRAWN]
    spans = []
    for name, summary in drawn:
        width = summary["max"] - summary["min"]
        first, third = ((summary[key] - summary["min"]) / width for key in ("quartile_1", "quartile_3"))
        written = f"{summary['quartile_1']:.4g} to {summary['quartile_3']:.4g}, of {summary['min']:.4g} to {summary['max']:.4g}"
        spans.append(Span(label=name, start=first, end=third, written=written, kind="accent"))
    parts = [table(headers, shown, caption="The training cells as they were")]
    if spans:
        said = Said(
            name="quartiles", title="Where the middle half lies", about="One line a column, from quartile to quartile."
        )
        note = "From the first to the third quartile, on a scale from the smallest (0) to the largest value (1): a short line at one end is a column with far outliers."
        parts.insert(0, figure(charts.spans(said, spans, unit=""), "Where the middle half of each column lies", note))
    note = f"Scaled: {_SCALES[report['spec']['scale']]}. Outliers: {_OUTLIERS[report['spec']['outliers']]}."
    return Section(heading="Columns of numbers", note=note, parts=parts)


def _missing_by_set(report: dict[str, Any]) -> Section:
    rows = []
    for name in report["columns"]:
        shares = [report["missing"][role].get(name, 0) / max(report["rows"][role], 1) for role in _SETS]
        if any(shares):
            rows.append([name, Share(value=shares[0], kind="warn"), *(f"{share:.1%}" for share in shares)])
    note = "A column that is missing more often in one set than in another was filled, but is worth a look."
    return Section(
        heading="Missing cells by set",
        note=note if rows else "No cell was missing.",
        parts=[table(["column", "in training", *_SETS], rows)] if rows else [],
    )


def _missing(name: str, report: dict[str, Any]) -> int:
    return sum(int(found.get(name, 0)) for found in report["missing"].values())


_SETS = ("train", "validation", "test")
_OUTLIERS = {"keep": "kept as they are", "clip": "clipped to the bounds", "drop": "training rows dropped"}
_SCALES = {
    "standard": "mean 0 and deviation 1",
    "robust": "median 0 and interquartile range 1",
    "minmax": "0 to 1",
    "none": "not",
}
