"""How fast a training goes and what memory it holds, point by point of its curve. Imports PyTorch.

These are times: they belong to what is measured, never to the facts of a report.
"""

import platform
from collections.abc import Sequence
from typing import Any

import psutil
import torch

from modelmint.core.types import JSON
from modelmint.training.learner import Batch, Learner
from modelmint.training.run import Place


def note(place: Place, *, seconds: float, num_rows: int, tokens: tuple[int, int] | None) -> None:
    """Add a step, which `place.curve` has already, to the point that belongs to its point of the curve.

    Args:
        tokens: those of the step, without padding and with it; None where its rows have none.
    """
    if len(place.pace) < len(place.curve):
        place.pace.append({"seconds": 0.0, "rows": 0, "tokens": 0, "places": 0} | memory())
    point = place.pace[-1]
    real, every = tokens or (0, 0)
    point["step"] = place.step
    point["seconds"] += seconds
    point["rows"] += num_rows
    point["tokens"] += real
    point["places"] += every


def tokens_of(learner: Learner[Any], batches: Sequence[Batch]) -> tuple[int, int] | None:
    """The tokens of a step's batches, without padding and with it; None where its rows have none."""
    counts = [found for batch in batches if (found := learner.num_tokens(batch)) is not None]
    return (sum(real for real, _ in counts), sum(every for _, every in counts)) if counts else None


def measured(points: Sequence[JSON]) -> JSON:
    """For a report: `tokens_per_s` and `padding` over the whole training, and `pace`, a column a figure.

    `pace.seconds` counts steps alone, from the first one; the others are means of a point. Empty without points.
    """
    if not points:
        return {}
    pace: JSON = {
        "step": [point["step"] for point in points],
        "seconds": [round(value, 3) for value in _running([point["seconds"] for point in points])],
        "examples_per_s": [_rate(point["rows"], point["seconds"]) for point in points],
    }
    real, every = sum(point["tokens"] for point in points), sum(point["places"] for point in points)
    pace |= {name: [point[name] for point in points] for name in MEMORY if name in points[0]}
    if not every:
        return {"pace": pace}
    pace["tokens_per_s"] = [_rate(point["tokens"], point["seconds"]) for point in points]
    return {
        "tokens_per_s": _rate(real, sum(point["seconds"] for point in points)),
        "padding": round(1 - real / every, 4),
        "pace": pace,
    }


def made_with() -> JSON:
    """The code and the machine of a training: two of them may differ by these alone."""
    from modelmint import __version__

    has_gpu = torch.cuda.is_available()
    return {
        "modelmint": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if has_gpu else platform.machine(),
        "threads": torch.get_num_threads(),
    }


MEMORY = ("memory_bytes", "gpu_memory_bytes")


def memory() -> JSON:
    """What this process holds now: resident, and of the GPU where there is one."""
    held: JSON = {"memory_bytes": psutil.Process().memory_info().rss}
    return held | {"gpu_memory_bytes": torch.cuda.memory_reserved()} if torch.cuda.is_available() else held


def _rate(count: int, seconds: float) -> float:
    return round(count / max(seconds, 1e-9), 1)


def _running(values: Sequence[float]) -> list[float]:
    sums: list[float] = []
    for value in values:
        sums.append(value + (sums[-1] if sums else 0.0))
    return sums
