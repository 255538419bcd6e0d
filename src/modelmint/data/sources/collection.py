"""The report of `collect`: what was read, what it holds, and what could not be used."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Report
from modelmint.data.pages.collection import collection_page
from modelmint.data.quarantine import Quarantine
from modelmint.data.sources.census import Census

_EXAMPLE_CHARS = 300
_MUCH_QUARANTINED = 0.05
_RARE_ROWS = 5


def collection(facts: JSON, provenance: JSON, census: Census, quarantine: Quarantine, ctx: StageContext) -> Report:
    """Lay the report down; the facts are those of the dataset and what was counted beside."""
    labels: Sequence[tuple[str, int]] = Counter(facts["labels"]).most_common()
    told: JSON = {
        **facts,
        "columns": census.columns.facts(),
        "lengths": census.lengths(),
        "quarantined": [{"reason": reason, "rows": facts["rows_quarantined"][reason], "examples": examples}
                        for reason, examples in sorted(quarantine.examples.items())],
        "shown": [_shown(row) for row in census.shown],
        "labels": dict(labels),
        "refused": [],
    }  # fmt: skip
    told["warnings"] = list(_warnings(told, census))
    media = [{name: cell for name, cell in row.items() if isinstance(cell, bytes)} for row in census.shown]
    page = collection_page(told | {"provenance": provenance}, media)
    # Where it came from is no fact: the same rows elsewhere are the same dataset, with the same report.
    return ctx.desk.report("collection", told, measured={"provenance": provenance}, renderings={"report.html": page})


def _warnings(facts: JSON, census: Census) -> Iterator[str]:
    read, taken_out = facts["rows_read"], sum(facts["rows_quarantined"].values())
    if taken_out > _MUCH_QUARANTINED * read:
        most = max(facts["rows_quarantined"], key=lambda reason: facts["rows_quarantined"][reason])
        yield f"{taken_out:,} of {read:,} rows could not be used, most of them for {most}."
    rare = [name for name, rows in facts["labels"].items() if rows < _RARE_ROWS]
    if rare and facts["task"] != "token-classification":
        yield f"{len(rare):,} labels have fewer than {_RARE_ROWS} rows, such as {rare[-1][:60]!r}."
    if not facts["licence"]:
        yield "No licence is declared: whether a model from this data may be sold cannot be said. Set `licence`."
    if facts["consent"] == "unknown" and census.form.texts:
        yield "On what ground the data may be used is not declared. Set `consent`."
    declared, found = facts["language"], facts["languages"]
    if facts["language_declared"] and found:
        main = max(found, key=lambda name: found[name])
        if main not in {"und", str(declared).partition("-")[0].lower()}:
            yield f"The language is declared as {declared}; most of the sampled texts are in {main}."


def _shown(row: JSON) -> JSON:
    return short_cells({name: cell for name, cell in row.items() if not name.startswith("_")})


def short_cells(row: Mapping[str, Any]) -> JSON:
    """A row as JSON for a reader: long texts cut, bytes counted, empty fields left out."""
    return {name: _short(cell) for name, cell in row.items()}


def _short(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell if len(cell) <= _EXAMPLE_CHARS else f"{cell[:_EXAMPLE_CHARS]}…"
    if isinstance(cell, bytes):
        return f"({len(cell):,} bytes)"
    if isinstance(cell, list):
        return [_short(each) for each in cell[:30]]
    if isinstance(cell, dict):
        return {name: _short(value) for name, value in cell.items() if value is not None}
    return cell
