"""Looking ahead to a training: rows drawn evenly as they pass, on which some of its steps are timed."""

import pyarrow as pa

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import JSON, Dataset
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import TASKS, task_of

MAX_ROWS = 20_000
MAX_BYTES = 64 << 20


class Ahead:
    """Every so many-th row whole, at most `MAX_ROWS` of them and about `MAX_BYTES`."""

    def __init__(self, data: Dataset) -> None:
        self._data, self._stride, self._num_seen, self._num_bytes = data, max(1, -(-data.num_rows // MAX_ROWS)), 0, 0
        self._drawn: list[pa.RecordBatch] = []

    def see(self, batch: pa.RecordBatch) -> None:
        """Draw from the next rows."""
        places = range(-self._num_seen % self._stride, batch.num_rows, self._stride)
        self._num_seen += batch.num_rows
        if places and self._num_bytes < MAX_BYTES:
            self._drawn.append(batch.take(pa.array(places, pa.int64())))
            self._num_bytes += self._drawn[-1].nbytes

    def estimate(
        self, train: TrainSpec, *, num_rows: int, num_validation_rows: int, num_threads: int, machine_hour: str
    ) -> JSON:
        """What training on `num_rows` such rows will take and cost; nothing where there is no training for them."""
        from modelmint.training.estimate import estimate

        if not self._drawn:
            return {}
        sample = tables.in_memory(self._data.name, pa.Table.from_batches(self._drawn), self._data.facts)
        try:
            return estimate(
                train,
                sample,
                num_rows=num_rows,
                num_validation_rows=num_validation_rows,
                num_threads=num_threads,
                machine_hour=machine_hour,
            )
        except DataError:  # rows that cannot be trained on: preflight has its own words for each cause
            return {}


def is_trainable(train: TrainSpec, data: Dataset) -> bool:
    """Whether there is a training for such rows."""
    try:
        task_of(train, data)
    except DataError:
        return False
    return True


def max_tokens(train: TrainSpec, data: Dataset) -> int | None:
    """How many tokens of a row the training reads; None where there is no training for such rows."""
    return TASKS[task_of(train, data).name].knobs(train).max_tokens if is_trainable(train, data) else None
