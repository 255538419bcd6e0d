"""Numbers as people read them."""

import re

from markupsafe import Markup, escape

LONGEST_NAME = 48


def percent(value: float, digits: int = 1) -> str:
    """``93.6%``; never rounded up to 100% or down to 0% when it is not that."""
    shown = f"{value:.{digits}%}"
    if value < 1 and shown.startswith("100"):
        return f"{100 - 10**-digits:.{digits}f}%"
    return f"{10**-digits:.{digits}f}%" if value > 0 and float(shown[:-1]) == 0 else shown


def size(num_bytes: float) -> str:
    """``22.1 MB``."""
    value, unit = float(num_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def seconds(value: float) -> str:
    """``42 s``, ``5 min 56 s``, ``2 h 5 min``."""
    whole = round(value)
    if value < 10:
        return f"{value:.1f} s"
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def milliseconds(value: float) -> str:
    """``3.2 ms``, ``41 ms``."""
    return f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def breakable(name: str) -> Markup:
    """A name as `short` gives it, escaped for HTML, that may break behind its own separators."""
    return Markup(re.sub(r"([_/.-]+)(?=\w)", r"\1<wbr>", str(escape(short(name)))))  # noqa: S704  # escaped just before


def short(name: str, limit: int = LONGEST_NAME) -> str:
    """A name from the data on one line, cut in the middle when it is long; the unprintable becomes a space."""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split()) or "?"
    half = (limit - 1) // 2
    return flat if len(flat) <= limit else f"{flat[: limit - 1 - half]}…{flat[-half:]}"
