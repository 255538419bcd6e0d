"""The nouns. Everything that the loop makes is one of these."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

JSON: TypeAlias = dict[str, Any]


class Files(Protocol):
    """Where an artifact's files are read from: verified, and decrypted where they are encrypted."""

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]: ...
    def folder(self) -> Path: ...


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something immutable that a stage made: content-addressed files and a manifest.

    `digest` covers the files and the facts, never what was measured (times), so equal work has an equal digest.
    """

    id: str
    kind: str
    name: str
    digest: str
    manifest: Mapping[str, Any] = field(repr=False)
    files: Files = field(repr=False, compare=False)

    @property
    def facts(self) -> JSON:
        return dict(self.manifest["facts"])

    @property
    def measured(self) -> JSON:
        return dict(self.manifest["measured"])

    @property
    def size_bytes(self) -> int:
        return sum(int(file["size_bytes"]) for file in self.manifest["files"])

    def paths(self) -> Iterator[str]:
        return (str(file["path"]) for file in self.manifest["files"])


class Dataset(Artifact):
    """A versioned table; every row has `_row`, a stable id. Read it with `core.tables`."""

    @property
    def num_rows(self) -> int:
        return int(self.manifest["facts"]["num_rows"])


class Model(Artifact):
    """A Hugging Face folder (safetensors, tokenizer, config), or a variant of one: an ONNX file and its tokenizer."""


class Report(Artifact):
    """A JSON document (its `facts`) with renderings for people."""
