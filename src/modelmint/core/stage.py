"""The one contract: a stage is a function ``(spec, inputs, ctx) -> outputs``.

    def clean(spec: CleanSpec, inputs: CleanInputs, ctx: StageContext) -> CleanOutputs

- `inputs` and `outputs` are frozen dataclasses whose fields are artifacts; a field's name is its role. Roles wire a
  recipe: an input takes the newest earlier output with its name. A field typed ``X | None`` is optional.
- A stage is pure: the same spec, inputs and seed give outputs with the same digests (on one machine type). What is
  measured (times, throughput) goes into `measured`, which no digest covers.
- A stage runs in its own process and sees nothing but its three arguments. What it makes is invisible until it ends well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import StageError
from modelmint.core.types import Dataset, Model, Report


class Desk(Protocol):
    """Where a stage lays down what it makes. The parents, licences and run are added by the loop."""

    def dataset(
        self,
        name: str,
        rows: pa.Table | Iterable[pa.RecordBatch],
        *,
        schema: pa.Schema | None = None,
        facts: Mapping[str, Any] | None = None,
        measured: Mapping[str, Any] | None = None,
        licences: Sequence[str] = (),
    ) -> Dataset:
        """Write a table; `schema` is needed when `rows` may be empty. Adds the facts `num_rows` and `columns`.

        `facts` is read after the last of `rows`, so a stage may fill it while the rows pass.
        """

    def model(
        self,
        name: str,
        folder: Path,
        *,
        facts: Mapping[str, Any] | None = None,
        measured: Mapping[str, Any] | None = None,
        licences: Sequence[str] = (),
    ) -> Model:
        """Take every file of `folder`."""

    def report(
        self,
        name: str,
        facts: Mapping[str, Any],
        *,
        measured: Mapping[str, Any] | None = None,
        renderings: Mapping[str, str | bytes] | None = None,
    ) -> Report:
        """A JSON document; `renderings` are files for people (``report.html``), not covered by the digest."""


MAX_TEXT_CHARACTERS = 20_000
"""An endpoint refuses a text that is longer."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A served model: where, and the key that opens it."""

    url: str
    name: str
    key: str
    max_characters: int = MAX_TEXT_CHARACTERS


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """What a stage may use beside its spec and inputs. Not thread-safe."""

    desk: Desk
    scratch: Path
    """An empty folder, removed when the stage ends."""
    checkpoints: Path
    """A folder of this stage's identity: it survives a kill and is removed when the stage ends well."""
    seed: int
    num_threads: int
    machine_hour: str
    """What an hour of this machine costs, e.g. ``0.10 USD``."""
    say: Callable[[int, int, str], None]
    """``say(done, total, message)``: progress; a total of 0 means unknown. Cheap: the loop thins it out."""
    serve: Callable[[Model], AbstractContextManager[Endpoint]]
    """Serve a model by the real server, on an empty home and a loopback port, for as long as the context lasts."""
    deadline_s: float | None = None
    """When this stage must have ended, on the monotonic clock."""
    tenant_secret: bytes = field(default=b"", repr=False)
    """A key of this tenant alone, for keyed hashes and stand-ins; never part of an identity, never written down."""
    ray_address: str | None = None
    """Where a stage that can runs on Ray: an address, or ``local`` for one of its own. None: on this machine's threads."""

    def check(self) -> None:
        """Call now and then in long work.

        Raises:
            StageError: the deadline has passed. (A cancel needs no check: it ends the process.)
        """
        if self.deadline_s is not None and monotonic_s() > self.deadline_s:
            raise StageError(
                "timeout_s: the stage ran past its deadline",
                parameter="timeout_s",
                remedy="Raise timeout_s of this stage in the recipe, or give it less work.",
            )
