"""Which variant to serve: the cheapest of those that are as good."""

from collections.abc import Sequence
from dataclasses import dataclass

FP32 = "onnx-fp32"
NEAR = 1.10
SLACK = 1e-9  # a figure exactly at its limit passes, whatever binary fractions make of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A variant as the choice sees it, against the trained model: how far its accuracy is below, on how many rows its
    label is another.
    """

    name: str
    size_bytes: int
    texts_per_s: float
    accuracy_drop: float
    num_rows: int
    num_differing: int

    @property
    def agreement(self) -> float:
        return 1 - self.num_differing / self.num_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a variant may lose against the model it was made from."""

    max_accuracy_drop: float
    min_agreement: float

    def failures(self, candidate: Candidate) -> list[str]:
        """Why a variant may not be served: a sentence each; none when it passes."""
        failed = []
        if candidate.accuracy_drop > self.max_accuracy_drop + SLACK:
            failed.append(
                f"{candidate.name}: accuracy may fall by at most {self.max_accuracy_drop:g}; it falls by "
                f"{candidate.accuracy_drop:.4f}"
            )
        if not self.agrees(candidate):
            failed.append(
                f"{candidate.name}: must give the trained model's label on at least {self.min_agreement:.1%} "
                f"of rows; it does not on {candidate.num_differing} of {candidate.num_rows}"
            )
        return failed

    def agrees(self, candidate: Candidate) -> bool:
        """Whether it gives the trained model's label often enough; parity replays the same rows over HTTP."""
        return candidate.agreement >= self.min_agreement - SLACK


def choose(candidates: Sequence[Candidate], limits: Limits) -> Candidate | None:
    """The cheapest that passes. On one machine the cheapest is the one that answers most texts a second.

    Speeds within `NEAR` of the best are alike, since a measurement is no surer than that: there the smaller one is
    taken. Where none passes it is fp32, if that agrees with the trained model: then the rows are too few to tell.
    """
    passing = [candidate for candidate in candidates if not limits.failures(candidate)]
    if passing:
        fastest = max(candidate.texts_per_s for candidate in passing)
        near = [candidate for candidate in passing if candidate.texts_per_s * NEAR >= fastest]
        return min(near, key=lambda candidate: (candidate.size_bytes, candidate.name))
    return next((one for one in candidates if one.name == FP32 and limits.agrees(one)), None)
