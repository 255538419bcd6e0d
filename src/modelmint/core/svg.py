"""Marks of a fluid SVG drawing: across in percent of its width, down in pixels.

So a drawing is as wide as its place, on a phone as on paper, and its text keeps its size. Lines and areas, which SVG
cannot place in percent, go into a `stretched` layer. Colours are classes that the page's style sheet gives a value, in
light and in dark. Every value is escaped.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

NOTHING = Markup("")

Point = tuple[float, float]
"""Across in percent, down in pixels."""


def drawing(marks: Iterable[Markup], *, height: float, name: str, title: str, about: str) -> Markup:
    """A whole drawing; `title` and `about` (its figures in words) are read out in its place."""
    return Markup(
        '<svg class="chart" width="100%" height="{}" role="img" aria-labelledby="{}-title {}-about">'
        '<title id="{}-title">{}</title><desc id="{}-about">{}</desc>{}</svg>'
    ).format(_short(height), name, name, name, title, name, about, NOTHING.join(marks))


def text(
    x: float, y: float, content: str, *, kind: str = "label", anchor: str = "start", dx: float = 0, number: str = ""
) -> Markup:
    """One line of text with its base line at `y`, and perhaps a number behind it; `dx` moves it by pixels."""
    behind = Markup('<tspan dx="8" class="number">{}</tspan>').format(number) if number else NOTHING
    return Markup('<text x="{}%" y="{}" dx="{}" class="{}" text-anchor="{}">{}{}</text>').format(
        _short(x), _short(y), _short(dx), kind, anchor, content, behind
    )


def line(x1: float, y1: float, x2: float, y2: float, *, kind: str) -> Markup:
    return Markup('<line x1="{}%" y1="{}" x2="{}%" y2="{}" class="{}"/>').format(
        _short(x1), _short(y1), _short(x2), _short(y2), kind
    )


def box(x: float, y: float, width: float, height: float, *, kind: str, radius: float = 0, tip: str = "") -> Markup:
    """A rectangle; `tip` is shown when the pointer rests on it."""
    inner = Markup("<title>{}</title>").format(tip) if tip else NOTHING
    return Markup('<rect x="{}%" y="{}" width="{}%" height="{}" rx="{}" class="{}">{}</rect>').format(
        _short(x), _short(y), _short(max(width, 0)), _short(max(height, 0)), _short(radius), kind, inner
    )


def dot(x: float, y: float, *, radius: float, kind: str, tip: str = "") -> Markup:
    inner = Markup("<title>{}</title>").format(tip) if tip else NOTHING
    return Markup('<circle cx="{}%" cy="{}" r="{}" class="{}">{}</circle>').format(
        _short(x), _short(y), _short(radius), kind, inner
    )


def stretched(shapes: Iterable[Markup], *, height: float) -> Markup:
    """A layer over the whole width in which a path's x runs from 0 to 100 and its y in pixels."""
    return Markup(
        '<svg x="0" y="0" width="100%" height="{}" viewBox="0 0 100 {}" preserveAspectRatio="none">{}</svg>'
    ).format(_short(height), _short(height), NOTHING.join(shapes))


def trace(points: Sequence[Point], *, kind: str) -> Markup:
    """A line through points, for a stretched layer; its width is not stretched."""
    path = " ".join(f"{'L' if at else 'M'}{_short(x)} {_short(y)}" for at, (x, y) in enumerate(points))
    return Markup('<path d="{}" class="{}" vector-effect="non-scaling-stroke"/>').format(path, kind)


def ribbon(left: Point, right: Point, left_height: float, right_height: float, *, kind: str) -> Markup:
    """A band that flows from one edge to another, for a stretched layer. The points are its upper ends."""
    (x1, y1), (x2, y2) = left, right
    middle = (x1 + x2) / 2
    path = (
        f"M{_short(x1)} {_short(y1)} "
        f"C{_short(middle)} {_short(y1)} {_short(middle)} {_short(y2)} {_short(x2)} {_short(y2)} "
        f"L{_short(x2)} {_short(y2 + right_height)} C{_short(middle)} {_short(y2 + right_height)} "
        f"{_short(middle)} {_short(y1 + left_height)} {_short(x1)} {_short(y1 + left_height)} Z"
    )
    return Markup('<path d="{}" class="{}"/>').format(path, kind)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
