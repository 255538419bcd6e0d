"""The drawings of an evaluation: figures beside one another, slices beside the whole, and who is taken for whom."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from modelmint.core.charts import Said, steps
from modelmint.core.svg import dot, drawing, line, text
from modelmint.evaluation.metrics.classification import Heat

PITCH, LANE = 50, 17
"""Pixels of a row, and of each further mark in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A value with its interval; `kind` is the class of the mark."""

    value: float
    low: float
    high: float
    written: str
    kind: str = "accent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a drawing: a name, how it is written out, and marks, the first the most important."""

    label: str
    marks: Sequence[Mark]
    tip: str = ""


def forest(
    said: Said, lines: Sequence[Line], *, is_share: bool, whole: float | None = None, whole_label: str = ""
) -> Markup:
    """Marks with their intervals on one scale, a line each; `whole` is a dashed line through all of them."""
    ends = [end for one in lines for mark in one.marks for end in (mark.low, mark.high)]
    ends += [whole] if whole is not None else []
    low, high = min(ends), max(ends)
    room = 0.04 * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room
    if is_share:
        low, high = max(0.0, low), min(1.0, high)
    ticks = [tick for tick in steps(low, high) if low - 1e-12 <= tick <= high + 1e-12]

    def across(value: float) -> float:
        return 1 + 98 * (value - low) / ((high - low) or 1.0)

    top = 22 if whole is not None and whole_label else 0
    heights = [PITCH + LANE * (len(one.marks) - 1) for one in lines]
    bottom = top + sum(heights) + 4
    drawn = [line(across(tick), top + 8, across(tick), bottom, kind="grid") for tick in ticks]
    if whole is not None:
        place = across(whole)
        anchor = "start" if place < 15 else "end" if place > 85 else "middle"
        drawn.append(line(place, top + 2, place, bottom, kind="limit ideal"))
        drawn += [text(place, 14, whole_label, anchor=anchor)] if whole_label else []
    y = top
    for one, height in zip(lines, heights, strict=True):
        drawn += [text(1, y + 20, one.label, kind="name"), text(99, y + 20, one.marks[0].written, kind="number", anchor="end")]  # fmt: skip
        for at, mark in enumerate(one.marks):
            lane = y + 36 + LANE * at
            drawn += [
                line(across(mark.low), lane, across(mark.high), lane, kind=f"whisker {mark.kind}"),
                dot(across(mark.value), lane, radius=5.5 if at == 0 else 4.5, kind=f"fill {mark.kind}", tip=one.tip or f"{one.label}: {mark.written}"),
            ]  # fmt: skip
        y += height
    form = _form(low, high, is_share=is_share)
    for tick in ticks:
        place = across(tick)
        drawn.append(text(place, bottom + 16, form.format(tick), anchor="start" if place < 3 else "end" if place > 95 else "middle"))  # fmt: skip
    return drawing(drawn, height=bottom + 20, name=said.name, title=said.title, about=said.about)


def heat_map(given: Heat) -> Markup:
    """Who is taken for whom: a row a right label, a column a given one; a cell is dark by its share of its row.

    Right answers are in the accent colour, wrong ones in that of warnings.
    """
    names = [*given["labels"], *([f"{given['num_others']:,} others"] if given["num_others"] else [])]
    head = Markup("").join(Markup('<th scope="col"><span>{}</span></th>').format(name) for name in names)
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(names[at], _cells(at, counts, names))
        for at, counts in enumerate(given["counts"])
    )
    return Markup(
        '<div class="scroll"><table class="heat"><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, rows)


def _cells(row: int, counts: Sequence[int], names: Sequence[str]) -> Markup:
    total = sum(counts) or 1
    return Markup("").join(
        Markup('<td class="{}" style="--heat:{}" title="{}">{}</td>').format(
            "right" if row == at else "wrong" if count else "none",
            f"{math.sqrt(count / total):.3f}",
            f"{names[row]} → {names[at]}: {count:,} of {total:,}",
            f"{count:,}" if count else "",
        )
        for at, count in enumerate(counts)
    )


def _form(low: float, high: float, *, is_share: bool) -> str:
    if not is_share:
        return "{:g}"
    return "{:.0%}" if high - low >= 0.04 else "{:.1%}"
