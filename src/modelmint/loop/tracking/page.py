"""A comparison as one page: the figures with their intervals, the curves over each other, what was set otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.catalog.catalog import Catalog
from modelmint.core import charts
from modelmint.core.charts import Said
from modelmint.core.figures import SHARES
from modelmint.core.pages import Section, figure, page, pair, table
from modelmint.core.svg import dot, line
from modelmint.core.types import JSON
from modelmint.loop.tracking import telling
from modelmint.loop.tracking.curves import Curves, curves_of

Series = Sequence[tuple[float, float]]
ROUGH = ("loss", "by-time", "gradient_norm", "examples_per_s", "tokens_per_s")
READABLE = 25
"""How many turns of a line can be told apart where several lie over each other."""


def compare_page(catalog: Catalog, body: JSON) -> str:
    """The page of what `compare.compare` found."""
    sides = body["sides"]
    curves = [curves_of(catalog.report(one["training"])) if one["training"] else Curves() for one in body["curves"]]
    refusals = [told for told in body["paired"][1:] if not told["same_rows"]]
    return page(
        title=" and ".join(side["name"] for side in sides) if len(sides) < 4 else f"{len(sides)} trainings",
        about="Comparison",
        lead=_lead(body),
        sections=[
            _sides(sides),
            *([_metrics(body)] if body["metrics"] else []),
            *([_curves(sides, curves)] if any(one.steps or one.epochs for one in curves) else []),
            _took(body),
            _config(body),
        ],
        warnings=[
            *body["notes"],
            *(telling.paired(side["letter"], told) for side, told in _others(body) if told in refusals),
        ],
    )


def _lead(body: JSON) -> str:
    row = next((row for row in body["metrics"] if row["of"] == "test"), None)
    if row is None:
        return "None of them was judged on test rows."
    told = [
        f"{side['letter']} {telling.figure(row['name'], value).partition(' (')[0]}"
        for side, value in zip(body["sides"], row["values"], strict=True)
        if value is not None
    ]
    return f"{row['name'].replace('_', ' ').capitalize()} on the test rows: {', '.join(told)}."


def _sides(sides: Sequence[JSON]) -> Section:
    rows = [
        [
            _key(at, side["letter"]),
            side["name"],
            side["id"],
            side["task"] or "–",
            side["base"] or "–",
            side["status"] or Markup(""),
        ]
        for at, side in enumerate(sides)
    ]
    return Section(heading="What is compared", parts=[table(["", "name", "id", "task", "base", "status"], rows)])


def _metrics(body: JSON) -> Section:
    rows = []
    for row in body["metrics"]:
        known = [value for value in row["values"] if value is not None]
        scale = _scale(known)
        for at, (value, delta) in enumerate(zip(row["values"], row["differences"], strict=True)):
            letter = body["sides"][at]["letter"]
            told = Markup("") if delta is None else _difference(letter, row, delta)
            name = (row["name"] if row["of"] == "test" else f"{row['name']}, validation").replace("_", " ")
            drawn = _interval(value, scale, at) if value is not None and "low" in value else Markup("")
            rows.append(
                [name if at == 0 else Markup(""), _key(at, letter), telling.figure(row["name"], value), drawn, told],
            )
    note = " ".join(telling.paired(side["letter"], told) for side, told in _others(body) if told["same_rows"])
    headers = ["figure", "", "value, with its 95 % interval", "", "minus A, row by row"]
    return Section(heading="Figures", note=note, parts=[table(headers, rows)])


def _difference(letter: str, row: JSON, delta: Mapping[str, Any]) -> Markup:
    kind = "" if not delta["clear"] else "good" if telling.verdict(letter, row, delta).endswith("better") else "bad"
    return Markup('<span class="{}">{}</span><br><small>{}</small>').format(
        kind, telling.difference(row["name"], delta), telling.verdict(letter, row, delta)
    )


def _curves(sides: Sequence[JSON], curves: Sequence[Curves]) -> Section:
    legend = Markup('<p class="legend">{}</p>').format(
        Markup("").join(_key(at, f"{side['letter']} {side['name']}") for at, side in enumerate(sides))
    )
    drawn = [
        _overlay("loss", "Training loss", "by step; what is minimised", [one.steps.get("loss", []) for one in curves]),
        _overlay("by-time", "Training loss by time", "by seconds of steps", [one.by_time for one in curves]),
    ]
    for name in dict.fromkeys(name for one in curves for name in one.epochs):
        words = "Training loss by epoch" if name == "train_loss" else name.replace("_", " ").capitalize()
        is_share = name.removeprefix("validation_") in SHARES
        drawn.append(
            _overlay(name, words, "by epoch or round", [one.epochs.get(name, []) for one in curves], percent=is_share)
        )
    for name, words, note in (
        ("gradient_norm", "Length of the gradient", "before it is shortened, by step"),
        ("learning_rate", "Learning rate", "by step"),
        ("examples_per_s", "Rows a second", "by step"),
        ("tokens_per_s", "Tokens a second", "without padding, by step"),
        ("memory_mb", "Memory in MB", "after a step"),
    ):
        drawn.append(_overlay(name, words, note, [one.steps.get(name, []) for one in curves]))
    kept = [one for one in drawn if one]
    note = (
        "What jumps from step to step is smoothed, so that lines can be told apart: the pages of the trainings are not."
    )
    return Section(
        heading="Curves", note=note, parts=[legend, *(pair(*kept[at : at + 2]) for at in range(0, len(kept), 2))]
    )


def _overlay(name: str, words: str, note: str, lines: Sequence[Series], *, percent: bool = False) -> Markup | None:
    is_rough = name in ROUGH
    drawn = [
        (f"series s{at + 1}", smooth(points) if is_rough else list(points))
        for at, points in enumerate(lines)
        if len(points) > 1
    ]
    if not drawn:
        return None
    about = "; ".join(f"from {points[0][1]:.4g} to {points[-1][1]:.4g}" for _, points in drawn)
    return figure(charts.curves(Said(name=name, title=words, about=about), drawn, percent=percent), words, note)


def smooth(points: Series) -> list[tuple[float, float]]:
    """Means of as many neighbours as leave a line of hundreds of steps readable beside others; few points stay."""
    reach = len(points) // (2 * READABLE)
    return [
        (x, sum(y for _, y in near) / len(near))
        for at, (x, _) in enumerate(points)
        for near in (points[max(0, at - reach) : at + reach + 1],)
    ]


def _took(body: JSON) -> Section:
    rows = [
        [
            telling.TOOK.get(row["name"], row["name"]),
            *(telling.took(row["name"], value, row["values"][0]) for value in row["values"]),
        ]
        for row in body["took"]
    ]
    note = "Times are of one run each, on a machine that may have been busy."
    return Section(heading="What it took", note=note, parts=[table(["", *telling.columns(body["sides"])], rows)])


def _config(body: JSON) -> Section:
    rows = [[row["key"], *(telling.setting(row["key"], value) for value in row["values"])] for row in body["config"]]
    note = "Only what differs, with the knobs as the trainings used them." if rows else "Nothing differs."
    parts = [table(["key", *telling.columns(body["sides"])], rows)] if rows else []
    return Section(heading="What was set otherwise", note=note, parts=parts)


def _others(body: JSON) -> list[tuple[JSON, JSON]]:
    return list(zip(body["sides"][1:], body["paired"][1:], strict=True))


def _key(at: int, words: str) -> Markup:
    return Markup('<span class="key"><i class="series s{}"></i>{}</span>').format(at + 1, words)


def _scale(values: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    low, high = (
        min(one.get("low", one["value"]) for one in values),
        max(one.get("high", one["value"]) for one in values),
    )
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return low - room, high + room


def _interval(value: Mapping[str, Any], scale: tuple[float, float], at: int) -> Markup:
    """A dot with its interval, on the scale that all sides share: beside the number that it shows, so it is not read out."""
    low, high = scale

    def across(number: float) -> float:
        return 100 * (number - low) / (high - low)

    marks = [
        line(0, 8, 100, 8, kind="grid"),
        line(across(value["low"]), 8, across(value["high"]), 8, kind=f"whisker series s{at + 1}"),
        dot(across(value["value"]), 8, radius=4.5, kind=f"fill series s{at + 1}"),
    ]
    return Markup('<svg class="bar" width="180" height="16" aria-hidden="true">{}</svg>').format(Markup("").join(marks))
