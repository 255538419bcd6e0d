"""Dots on two scales, and perhaps a line through some of them: what was tried, and what came of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from modelmint.core.charts import Said, around, steps
from modelmint.core.svg import Point, dot, drawing, line, stretched, text, trace

HEIGHT = 170


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """One thing that was tried; `tip` is shown when the pointer rests on it, `kind` is the mark's class."""

    x: float
    y: float
    tip: str
    kind: str = "accent"


def scatter(
    said: Said,
    dots: Sequence[Dot],
    *,
    through: Sequence[Point] = (),
    span: tuple[float, float] | None = None,
    log: bool = False,
    names: Sequence[str] = (),
    percent: bool = False,
) -> Markup:
    """Dots by (x, y), the later above the earlier.

    Args:
        through: a line in the same scales.
        span: the ends of the scale across; else those of the dots.
        log: the scale across is one of orders of magnitude; every x is above 0.
        names: what x means where it is a place, 0 first; without them the scale is of numbers.
    """
    ticks = around(min(one.y for one in dots), max(one.y for one in dots))
    low, high = ticks[0], ticks[-1]
    first, last = span or (min(one.x for one in dots), max(one.x for one in dots))
    across = _across(first, last, log=log, num_names=len(names))

    def down(y: float) -> float:
        return HEIGHT - (HEIGHT - 20) * (y - low) / ((high - low) or 1)

    marks = [line(0, down(tick), 100, down(tick), kind="grid") for tick in ticks]
    if through:
        marks.append(stretched([trace([(across(x), down(y)) for x, y in through], kind="trace accent")], height=HEIGHT))
    marks += [text(0, down(tick) - 4, f"{tick:.0%}" if percent else f"{tick:g}") for tick in ticks]
    marks += [dot(across(one.x), down(one.y), radius=4.5, kind=f"fill {one.kind} soft", tip=one.tip) for one in dots]
    for x, word in _words(first, last, log=log, names=names):
        at = across(x)
        marks.append(text(at, HEIGHT + 18, word, anchor="start" if at < 8 else "end" if at > 92 else "middle"))
    return drawing(marks, height=HEIGHT + 22, name=said.name, title=said.title, about=said.about)


def _across(least: float, most: float, *, log: bool, num_names: int) -> Callable[[float], float]:
    if num_names:
        return lambda x: 100 * (x + 0.5) / num_names
    scale: Callable[[float], float] = math.log10 if log else float
    first, last = scale(least), scale(most)
    return lambda x: 6 + 90 * ((scale(x) - first) / (last - first) if last > first else 0.5)


def _words(first: float, last: float, *, log: bool, names: Sequence[str]) -> list[tuple[float, str]]:
    if names:
        return [(float(at), name) for at, name in enumerate(names)]
    if not log:
        whole = float(first).is_integer() and float(last).is_integer() and last - first > 1
        return [(tick, f"{tick:g}") for tick in steps(first, last, whole=whole) if first <= tick <= last]
    powers = range(math.ceil(math.log10(first) - 1e-9), math.floor(math.log10(last) + 1e-9) + 1)
    return [(10.0**power, f"{10.0**power:g}") for power in powers] or [(first, f"{first:.3g}"), (last, f"{last:.3g}")]
