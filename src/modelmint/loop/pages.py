"""Every page of a run in one folder, with an index: what a person opens after a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError
from modelmint.core.pages import Headline, Section, page, table
from modelmint.core.types import Report
from modelmint.loop.runs import run_summary

PAGE = "report.html"


def write_pages(catalog: Catalog, run: str, folder: Path) -> Path:
    """Copy the page of each report of a run as ``01-collect.html`` and so on; returns the path of ``index.html``.

    Raises:
        NotFoundError: no such run.
        InputError: the folder is there and not empty, or the run has no page yet.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"folder: must be new or empty; {folder} is not", parameter="folder", remedy="Give another folder."
        )
    summary = run_summary(catalog, run)
    let_pass = {one["stage"]: f", let pass by {one['by']}: {one['reason']}" for one in summary["overrides"]}
    rows = []
    for position, stage in enumerate(summary["stages"], start=1):
        for report in _reports(catalog, stage):
            name = f"{position:02d}-{stage['name']}.html"
            folder.mkdir(parents=True, exist_ok=True)
            with report.files.open(PAGE) as stream:
                (folder / name).write_bytes(stream.read())
            refused = Markup('<span class="bad">refused</span>{}').format(let_pass.get(stage["name"], ""))
            verdict = refused if report.facts.get("refused") else stage["status"]
            seconds = "" if stage["seconds"] is None else f"{stage['seconds']:.1f} s"
            rows.append([Markup('<a href="{}">{}</a>').format(name, stage["name"]), report.name, verdict, seconds])
    if not rows:
        raise InputError(
            f"run: {run} has no page yet", parameter="run", remedy="Wait for a stage that reports, such as preflight."
        )
    index = folder / "index.html"
    index.write_text(
        page(
            title=str(summary["name"]),
            about=f"{summary['run']} · {summary['status']}",
            headlines=[Headline(name="time", value=f"{summary['seconds']:.0f} s", note=f"{len(rows)} pages")],
            sections=[Section(heading="Stations", parts=[table(["stage", "page", "status", "time"], rows)])],
        ),
        encoding="utf-8",
    )
    return index


def _reports(catalog: Catalog, stage: Mapping[str, Any]) -> list[Report]:
    found = (catalog.get(identifier) for identifier in stage["outputs"])
    return [each for each in found if isinstance(each, Report) and PAGE in set(each.paths())]
