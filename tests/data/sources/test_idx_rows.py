"""Reading IDX images: each a PNG with its label, and damaged files refused."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelmint.core.errors import DataError
from modelmint.data.sources.idx_rows import idx_parts, idx_rows, is_idx
from modelmint.data.sources.rows import Reading, Row

PIXELS = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def write(folder: Path, *, images: bytes | None = None, labels: bytes = bytes([7, 0, 9]), name: str = "train") -> Path:
    header = bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in PIXELS.shape)
    (folder / f"{name}-images-idx3-ubyte").write_bytes(header + PIXELS.tobytes() if images is None else images)
    packed = gzip.compress(bytes((0, 0, 8, 1)) + len(labels).to_bytes(4, "big") + labels)
    (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(packed)
    return folder


def read(folder: Path) -> list[Row]:
    return [row for part in idx_parts(folder) for row in idx_rows(part, Reading())]


def test_the_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    rows = read(write(tmp_path))
    decoded = [np.asarray(Image.open(io.BytesIO(row.cells["image"]))) for row in rows if row.cells]
    assert np.array_equal(np.stack(decoded), PIXELS)


def test_the_label_is_the_number_of_the_class(tmp_path: Path) -> None:
    assert [row.cells["label"] for row in read(write(tmp_path)) if row.cells] == ["7", "0", "9"]


def test_t10k_is_the_test_split(tmp_path: Path) -> None:
    write(tmp_path)
    assert [part.split for part in idx_parts(write(tmp_path, name="t10k"))] == ["train", "test"]


def test_a_folder_of_other_files_is_not_idx(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x")
    assert not is_idx(tmp_path)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (b"", "begins with"),
        (b"\x89PNG....", "begins with"),
        (bytes((0, 0, 8, 3)) + b"\0\0", "ends in its header"),
        (
            bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (3, 4, 5)) + bytes(30),
            "ends at image 1 of 3",
        ),
        (bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (3, 2**31, 2**31)), "declares 3 images of"),
        (
            bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (9, 4, 5)),
            "holds 9 images and .* 3 labels",
        ),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, images: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(write(tmp_path, images=images))


def test_a_gzip_that_is_cut_is_refused(tmp_path: Path) -> None:
    packed = write(tmp_path) / "train-labels-idx1-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-10])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        read(tmp_path)


def test_fashion_images_are_read(shared: Path) -> None:
    rows = read(shared / "fashion_mnist_small")
    assert len(rows) == 3000
    assert {row.cells["label"] for row in rows if row.cells} == set(map(str, range(10)))
