"""What is known of a trial that has ended; kept as JSON, one file a trial."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from modelmint.core.types import JSON

State = Literal["complete", "pruned", "failed", "stopped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A training with values of its own.

    `complete` went as far as any training does; `pruned` was left, since it was behind; `failed` broke, and `why` says
    how; `stopped` was under way when the budget ended.
    """

    number: int
    """From 0, in the order in which they were proposed."""
    values: JSON
    """What was tried, by the dotted names of the knobs."""
    state: State
    score: float | None = None
    """The best on the validation rows; None where there is none yet."""
    margin: float = 0.0
    """Scores so near are as good."""
    metric: str = ""
    higher_is_better: bool = True
    scores: tuple[tuple[float, float], ...] = ()
    """After each epoch: the share of the training that was done, and the score."""
    why: str = ""
    seconds: float = 0.0

    def facts(self) -> JSON:
        """All but the time that it took."""
        names = ("number", "values", "state", "score", "why")
        scores = [[share, score] for share, score in self.scores]
        return {name: getattr(self, name) for name in names} | {"scores": scores}

    def keep(self, folder: Path) -> None:
        """Write it down, whole or not at all."""
        partial = folder / f"{self.number:05d}.partial"
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(folder / f"{self.number:05d}.json")

    @classmethod
    def from_json(cls, value: JSON) -> Self:
        return cls(**{**value, "scores": tuple((share, score) for share, score in value["scores"])})


def kept(folder: Path) -> dict[int, Trial]:
    """The trials that have ended, by their numbers."""
    found = (Trial.from_json(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json")))
    return {trial.number: trial for trial in found}


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the best score, of equal ones the first."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
    return min(complete, key=_rank, default=None)


def _rank(trial: Trial) -> tuple[float, int]:
    score = trial.score if trial.score is not None else 0.0
    return (-score if trial.higher_is_better else score, trial.number)
