"""The figures of a comparison as people read them, on a terminal and on a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.core import formats
from modelmint.core.figures import SHARES

TOOK = {
    "run_seconds": "the whole run",
    "seconds": "training",
    "cost": "cost of the training",
    "memory_bytes": "peak memory",
    "examples_per_s": "rows a second, training",
    "tokens_per_s": "tokens a second, training",
    "padding": "padding",
    "steps": "steps",
    "best_epoch": "epoch that was kept",
    "num_rows": "training rows",
    "parameters": "parameters",
    "trained_parameters": "parameters that moved",
    "answers_per_s": "rows a second, answering",
    "size_bytes": "size of the model",
    "variant.name": "variant that was chosen",
    "variant.size_bytes": "size of the variant",
    "variant.p50_ms": "time of an answer, median",
    "variant.throughput_per_s": "answers a second, served",
    "variant.cost_per_million": "cost per million answers",
}
MAX_DIGITS = 12  # of a digest


def took(name: str, value: Any, first: Any = None) -> str:
    """A figure of what it took, with how many times that of the first side it is."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    text = _plain(name, value)
    numbers = isinstance(first, int | float) and not isinstance(first, bool)
    counts = name in ("best_epoch", "num_rows", "padding")
    return text if not numbers or not first or value == first or counts else f"{text} (×{value / first:.3g})"


def figure(name: str, value: Mapping[str, Any] | None) -> str:
    """``93.6% (92.7% to 94.4%)``; without the interval where it has none, a dash where there is no figure."""
    if value is None:
        return "–"
    form = _form(name)
    if value.get("low") is None:
        return f"{value['value']:{form}}"
    return f"{value['value']:{form}} ({value['low']:{form}} to {value['high']:{form}})"


def difference(name: str, value: Mapping[str, Any] | None) -> str:
    """``+1.2 points (+0.4 to +2.0)`` of a share, in its own unit of another figure."""
    if value is None:
        return ""
    if name.partition(":")[0] in SHARES:
        numbers = [f"{100 * value[key]:+.1f}" for key in ("value", "low", "high")]
        return f"{numbers[0]} points ({numbers[1]} to {numbers[2]})"
    numbers = [f"{value[key]:+.4g}" for key in ("value", "low", "high")]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def verdict(letter: str, row: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """``B is better``, ``B is worse`` or ``no clear difference``."""
    if not value["clear"]:
        return "no clear difference"
    return f"{letter} is {'better' if (value['value'] > 0) == (row['better'] == 'higher') else 'worse'}"


def paired(letter: str, told: Mapping[str, Any]) -> str:
    """A sentence on the rows that `letter` and A were both asked."""
    if not told["same_rows"]:
        return f"{letter} and A are not compared row by row: {told['why']}."
    if "p_value" not in told:
        return f"{letter} minus A is on the same test rows, with paired 95 % intervals."
    sure = "p < 0.0001" if told["p_value"] < 0.0001 else f"p = {told['p_value']:.4f}"
    return (
        f"{letter} minus A is on the same test rows, with paired 95 % intervals. Only {letter} is right on "
        f"{told['num_second_only']:,} rows, only A on {told['num_first_only']:,} ({told['test']}, {sure})."
    )


def setting(key: str, value: Any) -> str:
    """A value of the configuration."""
    if value is None:
        return "–"
    return str(value)[:MAX_DIGITS] if key.endswith(".digest") else str(value)


def columns(sides: Sequence[Mapping[str, Any]]) -> list[str]:
    """``A cnn``: the letters with their names."""
    return [f"{side['letter']} {side['name']}" for side in sides]


def _form(name: str) -> str:
    return ".1%" if name.partition(":")[0] in SHARES else ".4g"


def _plain(name: str, value: float) -> str:
    if name in ("seconds", "run_seconds"):
        return formats.seconds(value)
    if name.endswith("_bytes"):
        return formats.size(value)
    if name == "padding":
        return formats.percent(value)
    if name.endswith("_ms"):
        return formats.milliseconds(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 100 else f"{value:,.4g}"
