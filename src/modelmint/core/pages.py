"""A page that a stage's report is read as: one HTML file that asks nothing of the network and runs nothing.

    page(
        title="Cleaning", about="questions.csv", lead="1,204 of 1,250 rows are kept.",
        headlines=[Headline(name="rows kept", value="1,204", note="96.3% of 1,250")],
        sections=[Section(heading="What was taken out", parts=[table(["rule", "rows"], [["duplicate", 31]])])],
    )

Drawings come from `core.charts`. Every text is escaped here; a part is safe since it is `Markup`.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.clock import now
from modelmint.core.formats import breakable

MAX_SHOWN_CHARS = 400
MAX_MEDIUM_BYTES = 200_000
"""A larger image or recording is not shown: the page would grow too large to send."""
_MEDIA = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"BM....\0\0\0\0", re.DOTALL), "image/bmp"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"fLaC"), "audio/flac"),
    (re.compile(rb"OggS"), "audio/ogg"),
    (re.compile(rb"ID3|\xff[\xf2\xf3\xfb]"), "audio/mpeg"),
)
_PERCENT = re.compile(r"[0-9.,]+ ?%")


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One large figure, what it is, and what to read it against."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, a sentence under it, and tables, figures and examples."""

    heading: str
    note: str = ""
    parts: Sequence[Markup] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Share:
    """A table's cell that is drawn: a bar of 0 to 1."""

    value: float
    kind: str = "accent"


def page(
    *,
    title: str,
    about: str = "",
    lead: str = "",
    headlines: Sequence[Headline] = (),
    sections: Sequence[Section] = (),
    warnings: Sequence[str] = (),
    refused: Sequence[str] = (),
) -> str:
    """The text of ``report.html``. `refused` and `warnings` stand on top, as sentences."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=PackageLoader("modelmint.core"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return jinja.get_template("page.html").render(
        title=title,
        about=about,
        lead=lead,
        headlines=headlines,
        sections=sections,
        warnings=warnings,
        refused=refused,
        date=now().date().isoformat(),
    )


def figure(drawing: Markup, heading: str, note: str = "") -> Markup:
    """A drawing of `core.charts` with its heading."""
    words = Markup("<p>{}</p>").format(note) if note else Markup("")
    return Markup("<figure><figcaption><h3>{}</h3>{}</figcaption>{}</figure>").format(heading, words, drawing)


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Markup:
    """A table; numbers stand right, a `Share` is drawn as a bar, long names may break."""
    numeric = [bool(rows) and all(isinstance(row[at], int | float) for row in rows) for at in range(len(headers))]
    drawn = [bool(rows) and isinstance(rows[0][at], Share) for at in range(len(headers))]
    shares = [bool(rows) and all(_PERCENT.fullmatch(str(row[at])) for row in rows) for at in range(len(headers))]
    kinds = [
        "n" if number or share else "bars" if bar else ""
        for number, share, bar in zip(numeric, shares, drawn, strict=True)
    ]
    head = Markup("").join(
        Markup('<th scope="col" class="{}">{}</th>').format(kind, name)
        for kind, name in zip(kinds, headers, strict=True)
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup('<td class="{}">{}</td>').format(kind, _cell(cell))
                for kind, cell in zip(kinds, row, strict=True)
            )
        )
        for row in rows
    )
    named = Markup("<caption>{}</caption>").format(caption) if caption else Markup("")
    return Markup('<div class="scroll"><table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        named, head, body
    )


def counts(
    headers: tuple[str, str], found: Sequence[tuple[str, int]], *, kind: str = "accent", total: int = 0
) -> Markup:
    """Names with their numbers and a bar for each; a share of `total` too where it is given."""
    most = max((number for _, number in found), default=1) or 1
    rows: list[list[Any]] = [
        [name, Share(value=number / most, kind=kind), number, *([f"{number / total:.1%}"] if total else [])]
        for name, number in found
    ]
    return table([headers[0], "", headers[1], *(["share"] if total else [])], rows)


def examples(headers: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> Markup:
    """Texts side by side (before and after, say), cut to `MAX_SHOWN_CHARS`; what is drawn already stays whole."""
    cut = [
        [
            cell if isinstance(cell, Markup) or len(cell) <= MAX_SHOWN_CHARS else f"{cell[:MAX_SHOWN_CHARS]}…"
            for cell in row
        ]
        for row in rows
    ]
    return table(headers, cut, caption=caption)


def medium(content: bytes) -> Markup:
    """An image, or a recording to be listened to, within the page itself; how long it is where it cannot be shown."""
    kind = next((kind for form, kind in _MEDIA if form.match(content)), None)
    if kind is None or len(content) > MAX_MEDIUM_BYTES:
        return Markup("({:,} bytes)").format(len(content))
    source = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    if kind.startswith("image/"):
        return Markup('<img class="medium" alt="" src="{}">').format(source)
    return Markup('<audio controls preload="none" src="{}"></audio>').format(source)


def pair(*parts: Markup) -> Markup:
    """Parts side by side where there is room."""
    inner = Markup("").join(Markup("<div>{}</div>").format(part) for part in parts)
    return Markup('<div class="pair">{}</div>').format(inner)


def _cell(value: Any) -> Markup | str:
    if isinstance(value, Share):
        return charts.bar(value.value, kind=value.kind)
    if isinstance(value, Markup):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return breakable(text) if text and len(text) <= 48 else text
