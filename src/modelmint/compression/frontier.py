"""Which variant to serve: the cheapest, fastest or smallest of those that pass; and which are beaten by none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from modelmint.core.gates import Verdict, refusals

FP32 = "onnx-fp32"
NEAR = 1.10

Wish = Literal["cheapest", "fastest", "smallest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A variant as the choice sees it. `figures` are named as its gates are."""

    name: str
    figures: Mapping[str, float]
    verdicts: Sequence[Verdict]

    @property
    def failures(self) -> list[str]:
        """Why it may not be served: a sentence each; none when it passes."""
        return [f"{self.name}: {reason}" for reason in refusals(self.verdicts)]

    @property
    def failed(self) -> set[str]:
        """The names of the gates that refuse it."""
        return {verdict["name"] for verdict in self.verdicts if not verdict["passed"]}


def choose(candidates: Sequence[Candidate], wish: Wish) -> Candidate | None:
    """The best by `wish` of those that pass.

    On one machine the cheapest is the one that answers most texts a second, in requests of several; the fastest has the
    shortest median time of one text. Times within `NEAR` of the best are alike, since a measurement is no surer than
    that: there the smaller one is taken. Where none passes it is fp32, if accuracy alone is against it: it answers as
    the trained model does, so the rows are too few to tell.
    """
    passing = [candidate for candidate in candidates if not candidate.failures]
    if not passing:
        return next((one for one in candidates if one.name == FP32 and one.failed == {"accuracy_drop"}), None)
    near = passing if wish == "smallest" else _near(passing, _slowness(passing, wish))
    return min(near, key=lambda one: (one.figures["size_mb"], -one.figures["throughput_per_s"], one.name))


def frontier(points: Sequence[tuple[float, float]]) -> list[int]:
    """The places of the points (larger is better in both) that no other beats, by the first from small to large."""
    kept: list[int] = []
    best = float("-inf")
    for at in sorted(range(len(points)), key=lambda at: (-points[at][0], -points[at][1])):
        if points[at][1] > best:
            best = points[at][1]
            kept.append(at)
    return kept[::-1]


def _slowness(passing: Sequence[Candidate], wish: Wish) -> list[float]:
    if wish == "fastest":
        return [one.figures["p50_ms"] for one in passing]
    return [1 / one.figures["throughput_per_s"] for one in passing]


def _near(passing: Sequence[Candidate], slowness: Sequence[float]) -> list[Candidate]:
    least = min(slowness)
    return [one for one, slow in zip(passing, slowness, strict=True) if slow <= least * NEAR]
