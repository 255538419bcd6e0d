"""The page of a compression: each variant's worth against its speed, the frontier, the choice, and why the others not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from modelmint.compression.frontier import frontier
from modelmint.core.charts import around
from modelmint.core.figures import SHARES, is_lower_better
from modelmint.core.formats import milliseconds, percent, size
from modelmint.core.inputs import WRITTEN
from modelmint.core.pages import Headline, Section, figure, page, table
from modelmint.core.svg import Point, dot, drawing, line, stretched, text, trace

HEIGHT = 300
TRAINED = "trained model"
REASON = {"cheapest": "costs least of those that pass", "fastest": "answers one text fastest of those that pass",
          "smallest": "is the smallest of those that pass"}  # fmt: skip

Facts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A model in the picture: texts a second, and its main figure with the interval."""

    number: int
    name: str
    rate: float
    value: float
    low: float
    high: float
    kind: str


def compression_page(facts: Facts, measured: Facts, *, name: str) -> str:
    """``report.html`` of the facts and the measured figures of a compression report; `name` is that of the model."""
    chosen = next((one for one in facts["variants"] if one["chosen"]), None)
    points = _points(facts, measured)
    return page(
        title="Compression",
        about=f"{facts['task']} · {name}",
        lead=_lead(facts, chosen),
        headlines=_headlines(facts, measured, chosen) if chosen else [],
        sections=[
            Section(
                heading="What each costs, and what it is worth",
                note=f"On {facts['num_rows']['test']:,} test rows, with 95 % intervals. Up and to the right is better"
                + (", but of this figure down is." if is_lower_better(facts["metric"]) else "."),
                parts=[figure(_picture(facts, points), f"{facts['metric']} against {_answers(facts)} a second", KEY)],
            ),
            Section(heading="Variants", parts=[_worth(facts, measured)]),
            Section(heading="What each takes", note=_how(facts, measured), parts=[_taken(facts, measured)]),
            *([_failed(facts)] if facts["failed"] else []),
        ],
        warnings=facts["notes"],
        refused=facts["refused"],
    )


KEY = (
    "The line joins those that no other beats in both. Green is the one that was chosen, grey ones passed, orange ones "
    "were refused; 0 is the trained model as it was trained. Equal steps across are equal ratios."
)


def _points(facts: Facts, measured: Facts) -> list[Mark]:
    metric, found = facts["metric"], []
    models = [{**facts["model"], "name": TRAINED}, *facts["variants"]]
    for number, one in enumerate(models):
        timed = measured["variants"].get(one["name"]) if number else measured["model"]
        if not timed:
            continue
        kind = "ink" if not number else "accent" if one["chosen"] else "warn" if one["failures"] else "base"
        shown = one["metrics"][metric]
        found.append(
            Mark(
                number=number,
                name=one["name"],
                rate=timed["throughput_per_s"],
                value=shown["value"],
                low=shown["low"],
                high=shown["high"],
                kind=kind,
            )
        )
    return found


def _answers(facts: Facts) -> str:
    """What is counted when a model is timed: of chats `compression.timed.ANSWER`."""
    return "answers of 32 tokens" if facts["task"] in WRITTEN else _things(facts)


def _things(facts: Facts) -> str:
    return "rows" if facts["task"].startswith("tabular-") else "texts"


def _picture(facts: Facts, points: Sequence[Mark]) -> Markup:
    metric, said = facts["metric"], f"{_answers(facts)} a second"
    ticks = around(min(one.low for one in points), max(one.high for one in points))
    low, high = ticks[0], ticks[-1]
    rates = [math.log10(one.rate) for one in points]
    first, last = min(rates) - 0.03, max(rates) + 0.03

    def place(rate: float, value: float) -> Point:
        return 7 + 88 * (math.log10(rate) - first) / (last - first), HEIGHT - (HEIGHT - 20) * (value - low) / (
            high - low
        )

    marks = [
        line(0, place(points[0].rate, tick)[1], 100, place(points[0].rate, tick)[1], kind="grid") for tick in ticks
    ]
    sign = -1 if is_lower_better(metric) else 1
    best = frontier([(one.rate, sign * one.value) for one in points])
    if len(best) > 1:
        route = [place(points[at].rate, points[at].value) for at in best]
        marks.append(stretched([trace(route, kind="trace ideal")], height=HEIGHT))
    marks += [
        text(0, place(points[0].rate, tick)[1] - 4, f"{tick:.1%}" if metric in SHARES else f"{tick:g}")
        for tick in ticks
    ]
    for one in points:
        x, y = place(one.rate, one.value)
        marks.append(line(x, place(one.rate, one.low)[1], x, place(one.rate, one.high)[1], kind=f"whisker {one.kind}"))
        tip = f"{one.name}: {_written(metric, one.value)} at {one.rate:,.0f} {said}"
        marks.append(dot(x, y, radius=7 if one.kind == "accent" else 5, kind=f"fill {one.kind}", tip=tip))
        marks.append(text(x, y - 9, str(one.number), kind="number", dx=8 if one.number % 2 else -14))
    marks += [
        text(place(rate, low)[0], HEIGHT + 18, f"{rate:,.0f}", anchor="middle") for rate in _rates(10**first, 10**last)
    ]
    about = "; ".join(f"{one.name}: {_written(metric, one.value)}, {one.rate:,.0f} {said}" for one in points)
    return drawing(marks, height=HEIGHT + 24, name="frontier", title=f"{metric} by {said}", about=about)


def _rates(low: float, high: float) -> list[float]:
    """Round numbers between the two, a few an order of magnitude."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]


def _worth(facts: Facts, measured: Facts) -> Markup:
    metric = facts["metric"]
    rows = [
        [number, one["name"], _ranged(metric, one), percent(one["agreement"], 2), one["reason"]]
        for number, one in enumerate(facts["variants"], start=1)
    ]
    if measured["model"]:
        rows.insert(0, [0, TRAINED, _ranged(metric, facts["model"]), "", "what the others are compared with"])
    return table(["", "variant", metric, "same token" if facts["task"] in WRITTEN else "same answer", "why"], rows)


def _taken(facts: Facts, measured: Facts) -> Markup:
    trained = measured["model"]
    models = [({**facts["model"], "name": TRAINED}, trained)] if trained else []
    models += [(one, measured["variants"][one["name"]]) for one in facts["variants"]]
    has_energy = any(timed["joules_per_1000"] != "not readable" for _, timed in models)
    rows = []
    for number, (one, timed) in enumerate(models, start=0 if trained else 1):
        rate = timed["throughput_per_s"]
        rows.append(
            [
                number,
                one["name"],
                size(one["size_bytes"]),
                f"{timed['peak_mb']:,.0f} MB",
                milliseconds(timed["load_ms"]),
                milliseconds(timed["p50_ms"]),
                milliseconds(timed["p99_ms"]),
                f"{timed['throughput_1_per_s']:,.0f}",
                f"{rate:,.0f}",
                f"{rate / trained['throughput_per_s']:.1f}" if trained else "",
                *([str(timed["joules_per_1000"])] if has_energy else []),
                str(timed["cost_per_million"]),
            ]
        )
    short = "answers" if facts["task"] in WRITTEN else _things(facts)
    headers = [
        "", "variant", "file", "memory", "opens in", "p50", "p99", f"{short}/s alone", f"{short}/s in 32s", "× trained",
        *(["J per 1,000"] if has_energy else []), f"a million {short}",
    ]  # fmt: skip
    return table(headers, [[_whole(cell) for cell in row] for row in rows])


def _whole(cell: Any) -> Any:
    """A number with its unit, on one line."""
    is_figure = isinstance(cell, str) and cell[:1].isdigit()
    return Markup('<span class="key">{}</span>').format(cell) if is_figure else cell


def _ranged(metric: str, one: Facts) -> Markup:
    shown = one["metrics"][metric]
    low, high = _written(metric, shown["low"]), _written(metric, shown["high"])
    return Markup('<b>{}</b> <small class="key">{} – {}</small>').format(_written(metric, shown["value"]), low, high)


def _failed(facts: Facts) -> Section:
    rows = [[one["name"], one["reason"]] for one in facts["failed"]]
    return Section(
        heading="Could not be made",
        note="These are no candidates; the others went on.",
        parts=[table(["variant", "why"], rows)],
    )


def _headlines(facts: Facts, measured: Facts, chosen: Facts) -> list[Headline]:
    timed, metric, trained = measured["variants"][chosen["name"]], facts["metric"], measured["model"]
    shown = chosen["metrics"][metric]
    smaller = facts["model"]["size_bytes"] / chosen["size_bytes"]
    faster = (
        f"{timed['throughput_per_s'] / trained['throughput_per_s']:.1f} times the trained model; " if trained else ""
    )
    return [
        Headline(name="chosen", value=chosen["name"]),
        Headline(
            name=metric,
            value=_written(metric, shown["value"]),
            note=f"trained {_written(metric, facts['model']['metrics'][metric]['value'])}",
        ),
        Headline(name="file", value=size(chosen["size_bytes"]), note=f"{smaller:.1f} times smaller than the weights"),
        Headline(
            name=f"{_answers(facts)} a second",
            value=f"{timed['throughput_per_s']:,.0f}",
            note=f"{faster}{timed['cost_per_million']} a million",
        ),
    ]


def _lead(facts: Facts, chosen: Facts | None) -> str:
    tried = len(facts["variants"]) + len(facts["failed"])
    if chosen is None:
        return f"None of {tried} variants is good enough to be served."
    return f"Of {tried} variants that were tried, {chosen['name']} is to be served: it {REASON[facts['choose']]}."


def _how(facts: Facts, measured: Facts) -> str:
    energy = (measured["model"] or {}).get("joules_per_1000")
    told = " This machine does not tell what energy it uses." if energy == "not readable" else ""
    asked = {"chat": "a chat, answered with 32 tokens,", "text-generation": "a text, gone on with by 32 tokens,"}
    one = asked.get(facts["task"], f"one {_things(facts)[:-1]}")
    return (
        f"Timed on this machine in turns, each in a process of its own: {one} at a time, and in requests of 32. "
        f"Memory is the most that its whole process held.{told}"
    )


def _written(metric: str, value: float) -> str:
    return percent(value, 2) if metric in SHARES else f"{value:.4g}"
