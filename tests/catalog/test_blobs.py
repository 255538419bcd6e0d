"""Blob stores: one contract, a folder and an object store."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from modelmint.catalog.blobs import ABANDONED_S, Blobs, LocalBlobs, open_blobs
from modelmint.core.errors import IntegrityError


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return open_blobs(f"file://{tmp_path}/store" if request.param == "file" else f"memory://{tmp_path.name}")


def put(blobs: Blobs, tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "draft"
    file.write_bytes(content)
    name = hashlib.sha256(content).hexdigest()
    blobs.adopt(file, name)
    return name


def test_a_blob_reads_as_it_was_written(blobs: Blobs, tmp_path: Path) -> None:
    name = put(blobs, tmp_path, b"some bytes")
    with blobs.open(name) as stream:
        assert stream.read() == b"some bytes"


def test_the_same_bytes_are_kept_once(blobs: Blobs, tmp_path: Path) -> None:
    assert put(blobs, tmp_path, b"same") == put(blobs, tmp_path, b"same")
    assert len(list(blobs.names())) == 1


def test_a_missing_blob_is_an_error(blobs: Blobs) -> None:
    with pytest.raises(IntegrityError, match="is missing"):
        blobs.open("ab" * 32)


def test_a_blob_under_a_wrong_name_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    file = tmp_path / "draft"
    file.write_bytes(b"other bytes")
    blobs.adopt(file, "cd" * 32)
    with pytest.raises(IntegrityError, match="does not hold what was written"):
        blobs.open("cd" * 32)


def test_a_removed_blob_is_gone(blobs: Blobs, tmp_path: Path) -> None:
    name = put(blobs, tmp_path, b"x")
    blobs.remove(name)
    assert list(blobs.names()) == []


def test_a_broken_blob_is_mended_by_the_same_bytes(tmp_path: Path) -> None:
    store = LocalBlobs(tmp_path / "store")
    name = put(store, tmp_path, b"some bytes")
    (tmp_path / "store" / name[:2] / name).unlink()
    (tmp_path / "store" / name[:2] / name).write_bytes(b"some b")
    put(store, tmp_path, b"some bytes")
    with store.open(name) as stream:
        assert stream.read() == b"some bytes"


@pytest.mark.parametrize(("age_s", "is_kept"), [(0.0, True), (2 * ABANDONED_S, False)])
def test_a_half_copy_is_swept_when_nobody_writes_it_any_more(tmp_path: Path, age_s: float, is_kept: bool) -> None:
    store = LocalBlobs(tmp_path / "store")
    name = put(store, tmp_path, b"some bytes")
    draft = tmp_path / "store" / name[:2] / f".{name}.0123456789abcdef"
    draft.write_bytes(b"some b")
    os.utime(draft, (time.time() - age_s, time.time() - age_s))
    store.sweep()
    assert draft.exists() is is_kept
    assert list(store.names()) == [name]
