"""Artifacts in the making: a stage lays them down in its own folder, and the catalog takes them when the stage ends well.

Until then nothing of them is in the store or the database, so a stage that dies leaves nothing half-made behind.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.catalog.blobs import no_space
from modelmint.catalog.encryption import new_key, seal_stream, wrap
from modelmint.catalog.files import StoredFiles
from modelmint.core.errors import StageError
from modelmint.core.hashing import CHUNK_BYTES, digest
from modelmint.core.ids import new_id
from modelmint.core.types import JSON, Artifact, Dataset, Model, Report

FORMAT = 1
SHARD_ROWS = 1_000_000
ENCRYPTED = {"dataset", "report"}  # reports may quote rows; a model's weights are what the customer is served
KINDS: dict[str, type[Artifact]] = {"dataset": Dataset, "model": Model, "report": Report}

_Kind = TypeVar("_Kind", bound=Artifact)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What the catalog needs to publish an artifact."""

    manifest: JSON
    wrapped_key: bytes | None

    def to_json(self) -> JSON:
        return {"manifest": self.manifest, "wrapped_key": self.wrapped_key.hex() if self.wrapped_key else None}

    @classmethod
    def from_json(cls, value: JSON) -> "Draft":
        key = value["wrapped_key"]
        return cls(manifest=value["manifest"], wrapped_key=bytes.fromhex(key) if key else None)


class StagingDesk:
    """The desk of one stage. `folder` is on the store's disk where that is local, so that publishing is a rename."""

    def __init__(self, *, folder: Path, tenant: str, tenant_key: bytes, scratch: Path) -> None:
        self.folder, self.tenant, self.scratch = folder, tenant, scratch
        self.drafts: dict[str, Draft] = {}
        self._tenant_key = tenant_key

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
        work = self.scratch / new_id("dataset")
        with no_space(self.folder):
            work.mkdir(parents=True)
            num_rows, columns = _write_shards(work, rows, schema)
            about = {**(facts or {}), "num_rows": num_rows, "columns": columns}
            return self._lay(Dataset, name, _listing(work), facts=about, measured=measured, licences=licences)

    def model(
        self,
        name: str,
        folder: Path,
        *,
        facts: Mapping[str, Any] | None = None,
        measured: Mapping[str, Any] | None = None,
        licences: Sequence[str] = (),
    ) -> Model:
        return self._lay(Model, name, _listing(folder), facts=facts, measured=measured, licences=licences)

    def report(
        self,
        name: str,
        facts: Mapping[str, Any],
        *,
        measured: Mapping[str, Any] | None = None,
        renderings: Mapping[str, str | bytes] | None = None,
    ) -> Report:
        work = self.scratch / new_id("report")
        with no_space(self.folder):
            work.mkdir(parents=True)
            for path, content in (renderings or {}).items():
                (work / path).write_bytes(content.encode() if isinstance(content, str) else content)
        return self._lay(Report, name, _listing(work), facts=facts, measured=measured, rendered=True)

    def _lay(
        self,
        kind: type[_Kind],
        name: str,
        files: Mapping[str, Path],
        *,
        facts: Mapping[str, Any] | None,
        measured: Mapping[str, Any] | None,
        licences: Sequence[str] = (),
        rendered: bool = False,
    ) -> _Kind:
        noun = kind.__name__.lower()
        identifier, key = new_id(noun), new_key() if noun in ENCRYPTED else None
        with no_space(self.folder):
            listed = [self._store(identifier, path, file, key) for path, file in files.items()]
        about = json.loads(json.dumps(facts or {}, allow_nan=False))
        covered = [] if rendered else [[file["path"], file["sha256"]] for file in listed]
        manifest = {
            "format": FORMAT,
            "id": identifier,
            "kind": noun,
            "name": name,
            "tenant": self.tenant,
            "digest": digest({"kind": noun, "files": covered, "facts": about}),
            "files": listed,
            "facts": about,
            "measured": json.loads(json.dumps(measured or {}, allow_nan=False)),
            "licences": sorted(set(licences)),
            "encrypted": key is not None,
        }
        self.drafts[identifier] = Draft(manifest=manifest, wrapped_key=wrap(key, self._tenant_key) if key else None)
        return kind(
            id=identifier,
            kind=noun,
            name=name,
            digest=str(manifest["digest"]),
            manifest=manifest,
            files=StoredFiles(
                manifest=manifest, key=key, read=lambda blob: (self.folder / blob).open("rb"), scratch=self.scratch
            ),
        )

    def _store(self, identifier: str, path: str, file: Path, key: bytes | None) -> JSON:
        """Seal one file into the staging folder under the digest of what is stored."""
        plain, stored = hashlib.sha256(), hashlib.sha256()
        draft = self.folder / f"{identifier}.part"
        self.folder.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as source, draft.open("wb") as target:
            reader = _Hashing(source, plain.update)
            chunks = seal_stream(reader, key, f"{self.tenant}|{identifier}|{path}") if key else _chunks(reader)  # type: ignore[arg-type]
            for chunk in chunks:
                stored.update(chunk)
                target.write(chunk)
            stored_bytes = target.tell()
        draft.rename(self.folder / stored.hexdigest())
        return {
            "path": path,
            "sha256": plain.hexdigest(),
            "size_bytes": file.stat().st_size,
            "blob": stored.hexdigest(),
            "stored_bytes": stored_bytes,
        }


class _Hashing:
    """A reader that feeds a hash with what passes."""

    def __init__(self, source: IO[bytes], update: Callable[[bytes], None]) -> None:
        self._source, self._update = source, update

    def read(self, size: int) -> bytes:
        chunk = self._source.read(size)
        self._update(chunk)
        return chunk


def _chunks(reader: _Hashing) -> Iterator[bytes]:
    while chunk := reader.read(CHUNK_BYTES):
        yield chunk


def _listing(folder: Path) -> dict[str, Path]:
    """Relative path -> file, sorted. Links are refused: they could point anywhere."""
    listing = {}
    for file in sorted(folder.rglob("*")):
        if file.is_symlink():
            raise StageError(f"{file.name}: an artifact holds plain files only; this is a link")
        if file.is_file():
            listing[file.relative_to(folder).as_posix()] = file
    return listing


def _write_shards(work: Path, rows: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema | None) -> tuple[int, JSON]:
    """Parquet shards of at most `SHARD_ROWS` rows; always one, so that an empty dataset has a schema."""
    batches: Iterable[pa.RecordBatch]
    if isinstance(rows, pa.Table):
        batches, schema = rows.to_batches(), schema or rows.schema
    else:
        batches = rows
    writer: Any = None
    shard_rows = num_rows = num_shards = 0
    try:
        for batch in batches:
            schema = schema or batch.schema
            if writer is None or shard_rows >= SHARD_ROWS:
                if writer is not None:
                    writer.close()
                writer, num_shards, shard_rows = _shard(work, num_shards, schema), num_shards + 1, 0
            writer.write_batch(batch)
            shard_rows += batch.num_rows
            num_rows += batch.num_rows
        if schema is None:
            raise StageError("schema: a dataset without rows needs its schema", parameter="schema")
        if writer is None:
            writer = _shard(work, 0, schema)
    finally:
        if writer is not None:
            writer.close()
    return num_rows, {field.name: str(field.type) for field in schema}


def _shard(work: Path, index: int, schema: pa.Schema) -> Any:
    return pq.ParquetWriter(work / f"data-{index:05d}.parquet", schema, compression="zstd")
