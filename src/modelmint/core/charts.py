"""The plots of the report page. Each takes figures and gives one fluid drawing; words come in from the caller.

Titles, scales and data stand in the drawing; nothing is loaded and nothing runs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from modelmint.core.svg import Point, box, dot, drawing, line, ribbon, stretched, text, trace

MAX_TICKS = 5
PITCH = 54  # pixels from one labelled line to the next


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What is read out in place of a drawing; `name` makes its ids unique on the page."""

    name: str
    title: str
    about: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """A figure with its interval, and how it is written out. `kind` is the mark's class."""

    label: str
    value: float
    low: float
    high: float
    written: str
    kind: str = "accent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A quantity from `start` to `end` on a scale that begins at zero."""

    label: str
    start: float
    end: float
    written: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A part of a whole: its share flows to a label at the right."""

    label: str
    count: int
    written: str
    kind: str


def intervals(said: Said, ranges: Sequence[Range], *, percent: bool = True) -> Markup:
    """Figures as dots on a common scale, each with its interval as a line; `percent`: they are shares (0 to 1)."""
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    if percent:
        low = max(0.0, math.floor((low - 0.015) * 20) / 20)
        high = min(1.0, math.ceil((high + 0.005) * 20) / 20)
    else:
        room = 0.05 * (high - low or abs(high) or 1)
        low, high = low - room, high + room
    ticks = steps(low, high)
    bottom = PITCH * len(ranges) + 4

    def across(value: float) -> float:
        return 1 + 98 * (value - low) / ((high - low) or 1)

    marks = [line(across(tick), 8, across(tick), bottom, kind="grid") for tick in ticks if low <= tick <= high]
    for at, one in enumerate(ranges):
        y = PITCH * at + 36
        marks += [
            text(1, y - 14, one.label, kind="name"),
            text(99, y - 14, one.written, kind="number", anchor="end"),
            line(across(one.low), y, across(one.high), y, kind=f"whisker {one.kind}"),
            dot(across(one.value), y, radius=5.5, kind=f"fill {one.kind}", tip=f"{one.label}: {one.written}"),
        ]
    shown = [(across(tick), f"{100 * tick:.4g}%" if percent else f"{tick:g}") for tick in ticks if low <= tick <= high]
    marks += _scale(shown, y=bottom + 16)
    return drawing(marks, height=bottom + 20, name=said.name, title=said.title, about=said.about)


def spans(said: Said, given: Sequence[Span], *, unit: str) -> Markup:
    """Quantities as a dot at their start and a line to their end, on one scale from zero."""
    ticks = steps(0, max(one.end for one in given), most=4)
    last = max(ticks[-1], *(one.end for one in given)) or 1.0
    bottom = PITCH * len(given) + 4
    marks = [line(1 + 98 * tick / last, 8, 1 + 98 * tick / last, bottom, kind="grid") for tick in ticks]
    for at, one in enumerate(given):
        y = PITCH * at + 36
        marks += [
            text(1, y - 14, one.label, kind="name"),
            text(99, y - 14, one.written, kind="number", anchor="end"),
            line(1 + 98 * one.start / last, y, 1 + 98 * one.end / last, y, kind=f"whisker {one.kind}"),
            dot(1 + 98 * one.start / last, y, radius=5.5, kind=f"fill {one.kind}", tip=f"{one.label}: {one.written}"),
        ]
    marks += _scale([(1 + 98 * tick / last, f"{tick:g} {unit}" if tick else "0") for tick in ticks], y=bottom + 16)
    return drawing(marks, height=bottom + 20, name=said.name, title=said.title, about=said.about)


def curves(said: Said, lines: Sequence[tuple[str, Sequence[Point]]], *, percent: bool = False) -> Markup:
    """Lines over training, each a class of its mark and its points (x, y)."""
    points = [point for _, one in lines for point in one]
    least, largest = min(y for _, y in points), max(y for _, y in points)
    ticks = around(max(0.0, least - 0.02) if percent else min(0.0, least), largest)
    low, high = ticks[0], ticks[-1]
    first, last = min(x for x, _ in points), max(x for x, _ in points)

    def place(point: Point) -> Point:
        x = (point[0] - first) / ((last - first) or 1)
        return 1 + 97 * x, 170 - 150 * (point[1] - low) / ((high - low) or 1)

    marks = [line(0, place((first, tick))[1], 100, place((first, tick))[1], kind="grid") for tick in ticks]
    marks.append(
        stretched([trace([place(one) for one in given], kind=f"trace {kind}") for kind, given in lines], height=170)
    )
    marks += [text(0, place((first, tick))[1] - 4, f"{tick:.0%}" if percent else f"{tick:g}") for tick in ticks]
    for kind, given in lines:
        marks.append(dot(*place(given[-1]), radius=4, kind=f"fill {kind}"))
    marks += _scale(
        [(place((tick, low))[0], f"{tick:g}") for tick in steps(first, last, whole=True) if first <= tick <= last],
        y=188,
    )
    return drawing(marks, height=192, name=said.name, title=said.title, about=said.about)


def reliability(said: Said, bins: Sequence[tuple[float, float, int]], *, across: str, down: str) -> Markup:
    """Calibration: (mean score, share right, number of rows) as dots, beside the line that they should be on."""
    most = max(count for _, _, count in bins)
    marks = [line(0, 212 - 200 * tick, 100, 212 - 200 * tick, kind="grid") for tick in (0.0, 0.5, 1.0)]
    marks.append(stretched([trace([(2.0, 212.0), (98.0, 12.0)], kind="trace ideal")], height=222))
    for score, right, count in bins:
        marks.append(
            dot(
                2 + 96 * score,
                212 - 200 * right,
                radius=4 + 7 * math.sqrt(count / most),
                kind="fill accent soft",
                tip=f"{score:.0%} → {right:.0%} ({count:,})",
            )
        )
    marks += [text(0, 208 - 200 * tick, f"{tick:.0%} {down}" if tick == 1 else f"{tick:.0%}") for tick in (0.5, 1.0)]
    marks += _scale(
        [(2 + 96 * tick, f"{across} {tick:.0%}" if tick == 1 else f"{tick:.0%}") for tick in (0, 0.5, 1)], y=230
    )
    return drawing(marks, height=234, name=said.name, title=said.title, about=said.about)


def histogram(said: Said, bins: Sequence[tuple[float, float, int]], *, limit: float | None, limit_label: str) -> Markup:
    """Counts over (low, high) ranges as columns; those past `limit` in the warning colour, and a line at it."""
    first, last = bins[0][0], max(bins[-1][1], (limit or 0) * 1.04)
    most = max(count for _, _, count in bins) or 1

    def across(value: float) -> float:
        return 1 + 98 * (value - first) / ((last - first) or 1)

    marks = [line(0, 170, 100, 170, kind="axis")]
    for low, high, count in bins:
        height = max(140 * count / most, 1.0 if count else 0.0)
        beyond = limit is not None and low >= limit
        marks.append(
            box(
                across(low) + 0.15,
                170 - height,
                across(high) - across(low) - 0.3,
                height,
                radius=1.5,
                kind="fill warn" if beyond else "fill accent",
                tip=f"{low:g} – {high:g}: {count:,}",
            )
        )
    if limit is not None:
        side = "end" if across(limit) > 50 else "start"
        marks += [
            line(across(limit), 14, across(limit), 170, kind="limit"),
            text(across(limit), 24, limit_label, kind="label strong", anchor=side, dx=-6 if side == "end" else 6),
        ]
    marks += _scale(
        [(across(tick), f"{tick:g}") for tick in steps(first, last, whole=True) if first <= tick <= last], y=188
    )
    return drawing(marks, height=192, name=said.name, title=said.title, about=said.about)


def flow(said: Said, streams: Sequence[Stream], *, whole: str) -> Markup:
    """A whole at the left that flows to its parts at the right, drawn to scale; small parts keep a hair's width."""
    slot, total = 30.0, sum(stream.count for stream in streams) or 1
    scale = max(120.0, 15.0 * len(streams)) / total
    heights = [max(stream.count * scale, 1.5) for stream in streams]
    ends: list[float] = []
    y = 26.0
    for stream, height in zip(streams, heights, strict=True):
        y += 12 if stream.kind == "warn" and streams[len(ends) - 1].kind != "warn" else 0
        ends.append(y)
        y += max(height + 12, slot)
    bottom = y
    marks, bands, begun = [], [], 26.0
    for stream, height, end in zip(streams, heights, ends, strict=True):
        bands.append(ribbon((2.0, begun), (44.0, end), height, height, kind=f"band {stream.kind}"))
        begun += height
    marks.append(stretched(bands, height=bottom))
    marks += [box(0, 26, 2, sum(heights), kind="fill ink"), text(0, 16, whole, kind="name")]
    for stream, height, end in zip(streams, heights, ends, strict=True):
        middle = end + height / 2 + 4
        marks += [
            box(44, end, 2, height, kind=f"fill {stream.kind}"),
            text(46, middle, stream.label, kind="name", dx=8, number=stream.written),
        ]
    return drawing(marks, height=bottom, name=said.name, title=said.title, about=said.about)


def columns(said: Said, values: Sequence[tuple[str, float]], *, weak_below: float) -> Markup:
    """Many shares (0 to 1) side by side, one thin column each: the shape of the whole at a glance."""
    width = 100 / len(values)
    gap = min(0.3, width * 0.2)
    marks = [line(0, 90 - 74 * tick, 100, 90 - 74 * tick, kind="grid") for tick in (0.5, 1.0)]
    for at, (label, value) in enumerate(values):
        height = max(74 * value, 1.0)
        marks.append(
            box(
                at * width + gap / 2,
                90 - height,
                width - gap,
                height,
                kind="fill warn" if value < weak_below else "fill accent",
                tip=f"{label}: {value:.2f}",
            )
        )
    marks.append(text(0, 12, "100%"))
    return drawing(marks, height=92, name=said.name, title=said.title, about=said.about)


def bar(share: float, *, kind: str = "accent") -> Markup:
    """A small bar for a table's cell, beside the number that it shows: it is not read out."""
    return Markup('<svg class="bar" width="100%" height="10" aria-hidden="true">{}{}</svg>').format(
        box(0, 0, 100, 10, kind="fill track", radius=2),
        box(0, 0, 100 * min(max(share, 0.0), 1.0), 10, kind=f"fill {kind}", radius=2),
    )


def steps(low: float, high: float, *, most: int = MAX_TICKS, whole: bool = False) -> list[float]:
    """Round numbers from about `low` to about `high`, at most `most` of them and at least two."""
    span = (high - low) or 1.0
    rough = span / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    if whole:
        step = max(1.0, float(round(step)))
    first = math.floor(low / step + 1e-9)
    return [round(step * at, 10) for at in range(first, first + most + 1) if step * at <= high + step * 0.001] or [
        low,
        high,
    ]


def around(low: float, high: float) -> list[float]:
    """At least two round numbers that hold `low` and `high` between the first and the last of them."""
    ticks = steps(low, high, most=4)
    if len(ticks) < 2:  # all figures are the same: from zero to there
        far = math.ceil(high * 2) / 2 if high > 0 else math.floor(low * 2) / 2
        return sorted((0.0, far or 1.0))
    step = ticks[1] - ticks[0]
    return ticks if ticks[-1] >= high else [*ticks, round(ticks[-1] + step, 10)]


def _scale(ticks: Sequence[tuple[float, str]], *, y: float) -> list[Markup]:
    """The words under an axis; those at its ends do not stick out."""
    return [text(x, y, word, anchor="start" if x < 3 else "end" if x > 95 else "middle") for x, word in ticks]
