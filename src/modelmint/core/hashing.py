"""Digests: canonical JSON and SHA-256, the identity of a stage."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20


def canonical(value: Any) -> bytes:
    """Bytes that are equal exactly when the JSON values are equal: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, as 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in chunks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def identity(
    *,
    stage: str,
    version: int,
    spec: Mapping[str, Any],
    inputs: Mapping[str, Sequence[str]],
    seed: int,
    fingerprint: str = "",
) -> str:
    """What makes one execution of a stage the same as another; an identity in the catalog is not run again.

    Args:
        inputs: role -> the digests of the artifacts in that role.
        fingerprint: what the stage reads beside its inputs (the bytes of a source file, the weights of a base).
    """
    return digest(
        {"stage": stage, "version": version, "spec": spec, "inputs": inputs, "seed": seed, "fingerprint": fingerprint}
    )
