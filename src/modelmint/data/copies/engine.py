"""Where work on many rows runs: Daft, on this machine's cores or, by the same code, on a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from modelmint.core.cluster import connected
from modelmint.core.stage import StageContext

CALL_ROWS = 4096
"""How many rows a worker gets at a time."""

_native: list[int] = []


@contextmanager
def engine(ctx: StageContext) -> Iterator[None]:
    """Have Daft run on the stage's threads, or on Ray where the stage has an address; for as long as the context lasts.

    Raises:
        UnavailableError: Ray is not installed, or nothing answers at its address.
    """
    import daft

    if ctx.ray_address is None:
        if not _native:  # it is set once a process
            daft.set_runner_native(num_threads=ctx.num_threads)
            _native.append(ctx.num_threads)
        yield
        return
    with connected(ctx.ray_address, ctx.num_threads):
        daft.set_runner_ray(noop_if_initialized=True)
        yield


def mapped(
    chunks: Iterable[pa.Table], columns: Sequence[str], function: Callable[..., pa.Array], returns: pa.DataType
) -> Iterator[pa.Array]:
    """Call a function on columns of tables, `CALL_ROWS` rows at a time, and give its result for each table, in order.

    Args:
        function: takes Arrow arrays, gives one as long; it may run in other threads, processes or machines.
    """
    import daft

    def call(*series: Any) -> Any:
        return function(*[one.to_arrow() for one in series])

    called = daft.func.batch(
        return_dtype=daft.DataType.from_arrow_type(returns), batch_size=CALL_ROWS, use_process=False, max_retries=0
    )(call)
    for chunk in chunks:
        frame = daft.from_arrow(chunk).select(called(*[daft.col(name) for name in columns]).alias("made"))
        yield frame.to_arrow().column("made").combine_chunks()
