"""The page of a search: how the best score grew, which knobs matter and where, and every trial."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.core import figures
from modelmint.core.charts import Said
from modelmint.core.formats import percent, seconds
from modelmint.core.pages import Headline, Section, Share, figure, page, pair, table
from modelmint.core.scatter import Dot, scatter
from modelmint.training.searching.space import written

Facts = Mapping[str, Any]

KINDS = {"complete": "accent", "pruned": "base", "stopped": "base", "failed": "warn"}
ENDS = {
    "trials": "all {count} trials were made",
    "minutes": "its time was up after {count} trials",
    "money": "its money was spent after {count} trials",
    "space": "all {count} combinations were tried",
}
PRUNED = "Grey: trials that were left early, at the best score that they had."


def search_page(facts: Facts, measured: Facts, *, name: str) -> str:
    """``report.html`` of the facts and the measured figures of a search report; `name` is that of the rows."""
    best, counts = facts["best"], facts["counts"]
    found = ", ".join(f"{key} {written(value)}" for key, value in best["values"].items())
    ended = ENDS[facts["ended_by"]].format(count=len(facts["trials"]))
    left = f"{counts['pruned'] + counts['stopped']} left early, {counts['failed']} failed"
    return page(
        title="Search",
        about=f"{facts['task']} · {name}",
        lead=f"The best values are {found}. The search ended when {ended}.",
        headlines=[
            Headline(
                name=f"best {figures.title_of(facts['metric']).lower()}",
                value=figures.written(facts["metric"], best["score"]),
                note=f"trial {best['number'] + 1}, on {facts['num_validation_rows']:,} validation rows",
            ),
            *_default(facts),
            Headline(name="trials", value=f"{counts['complete']} whole", note=left),
            Headline(name="time", value=seconds(measured["seconds"]), note=str(measured["cost"])),
        ],
        sections=[
            one for one in (_history(facts), _importances(facts), _slices(facts), _trials(facts, measured)) if one
        ],
        warnings=facts["warnings"],
    )


def _default(facts: Facts) -> list[Headline]:
    if not facts["default"]:
        return []
    score = facts["default"]["score"]
    return [
        Headline(
            name="without a search", value=figures.written(facts["metric"], score), note="the values of train, trial 1"
        )
    ]


def _history(facts: Facts) -> Section:
    dots, line, best = list[Dot](), list[tuple[float, float]](), None
    for trial in facts["trials"]:
        if trial["score"] is None:
            continue
        dots.append(_dot(facts, trial, float(trial["number"] + 1)))
        if trial["state"] == "complete":
            better = max if facts["higher_is_better"] else min
            best = trial["score"] if best is None else better(best, trial["score"])
        if best is not None:
            line.append((float(trial["number"] + 1), best))
    first, last = line[0][1], line[-1][1]
    title = f"{figures.title_of(facts['metric'])} by trial"
    said = Said(name="history", title=title, about=f"{title}: the best grew from {first:.4g} to {last:.4g}")
    drawn = scatter(said, dots, through=_stairs(line), percent=figures.is_share(facts["metric"]))
    note = "The score is the best of many on the same validation rows, and so a little too good; the test rows have not been seen."
    return Section(
        heading="How the best was found",
        note=note,
        parts=[figure(drawn, title, f"The line is the best so far. {PRUNED}")],
    )


def _importances(facts: Facts) -> Section | None:
    if not facts["importances"]:
        return None
    rows = [[key, Share(value=share), percent(share, 0)] for key, share in facts["importances"].items()]
    note = f"How much of the difference between the scores of the {facts['counts']['complete']} whole trials each explains (fANOVA)."
    return Section(heading="Which knobs matter", note=note, parts=[table(["knob", "", "share"], rows)])


def _slices(facts: Facts) -> Section:
    drawn = [_slice(facts, at, key, sought) for at, (key, sought) in enumerate(facts["space"].items())]
    pairs = [pair(*drawn[at : at + 2]) for at in range(0, len(drawn), 2)]
    return Section(heading="Where the good values lie", note=f"A dot a trial. {PRUNED}", parts=pairs)


def _slice(facts: Facts, at: int, key: str, sought: Any) -> Markup:
    trials = [trial for trial in facts["trials"] if trial["score"] is not None]
    names = [written(choice) for choice in sought] if isinstance(sought, list) else []

    def across(value: Any) -> float:
        return float(names.index(written(value))) if names else float(value)

    dots = [_dot(facts, trial, across(trial["values"][key])) for trial in trials]
    said = Said(
        name=f"slice{at}",
        title=f"{figures.title_of(facts['metric'])} by {key}",
        about=f"The best: {written(facts['best']['values'][key])}",
    )
    log = not names and bool(sought.get("log"))
    span = None if names else (float(sought["low"]), float(sought["high"]))
    return figure(scatter(said, dots, names=names, span=span, log=log, percent=figures.is_share(facts["metric"])), key)


def _dot(facts: Facts, trial: Facts, x: float) -> Dot:
    values = ", ".join(f"{key} {written(value)}" for key, value in trial["values"].items())
    kind = "deep" if trial["number"] == facts["best"]["number"] else KINDS[trial["state"]]
    score = figures.written(facts["metric"], trial["score"])
    return Dot(
        x=x, y=trial["score"], kind=kind, tip=f"trial {trial['number'] + 1}, {trial['state']}: {score} ({values})"
    )


def _trials(facts: Facts, measured: Facts) -> Section:
    keys = list(facts["space"])
    rows = [
        [
            trial["number"] + 1,
            Markup("<strong>{}</strong>").format("best")
            if trial["number"] == facts["best"]["number"]
            else trial["state"],
            "–" if trial["score"] is None else figures.written(facts["metric"], trial["score"]),
            *(written(trial["values"][key]) for key in keys),
            len(trial["scores"]),
            f"{took_s:.1f} s",
        ]
        for trial, took_s in zip(facts["trials"], measured["trial_seconds"], strict=True)
    ]
    return Section(heading="Trials", parts=[table(["trial", "", facts["metric"], *keys, "epochs", "time"], rows)])


def _stairs(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Level until the trial that is better, then straight up or down."""
    points = list(line[:1])
    for (_, before), (x, y) in itertools.pairwise(line):
        points += [(x, before), (x, y)]
    return points
