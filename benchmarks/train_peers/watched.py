"""The clock that every contestant is timed by: it stands still while the test rows are predicted."""

import json
import time
from collections.abc import Callable, Sequence

TARGET = 0.9
EVERY_STEPS = 40
MOST_S = 240.0
"""A contestant still on its way then is stopped; ours is done before."""


class Clock:
    """Counts rows and the seconds in which they were trained on, and notes when the accuracy first was `TARGET`."""

    def __init__(self, predict: Callable[[], Sequence[int]], truth: Sequence[int], begun_s: float) -> None:
        self._predict, self._truth = predict, truth
        self._since, self.seconds = begun_s, 0.0
        self.num_rows = self._num_steps = 0
        self.to_target: float | None = None
        self.accuracy = 0.0

    def step(self, num_rows: int) -> None:
        """After a step of the optimizer."""
        self._num_steps += 1
        self.num_rows += num_rows
        if self.to_target is None and self._num_steps % EVERY_STEPS == 0:
            self.look()

    @property
    def over(self) -> bool:
        return self.seconds + time.perf_counter() - self._since > MOST_S

    def look(self) -> None:
        """Predict the test rows, with the clock stopped."""
        self.seconds += time.perf_counter() - self._since
        found = self._predict()
        self.accuracy = sum(one == other for one, other in zip(found, self._truth, strict=True)) / len(self._truth)
        if self.to_target is None and self.accuracy >= TARGET:
            self.to_target = self.seconds
        self._since = time.perf_counter()

    def told(self) -> str:
        """The last line that a contestant prints."""
        self.look()
        return json.dumps(
            {
                "rows_per_s": self.num_rows / self.seconds,
                "seconds": self.seconds,
                "seconds_to_target": self.to_target,
                "accuracy": self.accuracy,
                "stopped": self.seconds > MOST_S,
            }
        )
