"""Reading folders of images and recordings: the bytes as they are, labels from where they stand, bad ones named."""

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.data.sources.folders import kind_of
from modelmint.data.sources.media_rows import audio_rows, image_rows
from modelmint.data.sources.parsing import Bounds
from modelmint.data.sources.rows import Reading, Row, SourceFile
from tests.data import files_made as make

Images = Callable[..., Path]


def read(path: Path, kind: str = "image", **how: Any) -> list[Row]:
    source = SourceFile(path=path, key="data", split=None, format=kind)
    return list((image_rows if kind == "image" else audio_rows)(source, Reading(**how)))


def reasons(path: Path, kind: str = "image", **how: Any) -> list[str]:
    return [row.reason for row in read(path, kind, **how)]


def test_an_image_is_kept_as_it_is(folder: Images) -> None:
    kinds = {kind: make.image(kind) for kind in ("bmp", "gif", "jpg", "png", "webp")}
    rows = read(folder({f"cat/1.{kind}": data for kind, data in kinds.items()}))
    assert [row.cells for row in rows] == [
        {"image": data, "label": "cat", "file": f"cat/1.{kind}", "width": 8, "height": 6, "format": kind}
        for kind, data in kinds.items()
    ]


def test_the_format_is_that_of_the_bytes(folder: Images) -> None:
    row = read(folder({"cat/1.png": make.image("jpg")}))[0]
    assert row.cells is not None
    assert row.cells["format"] == "jpg"


BAD_IMAGES = {
    "empty": (b"", "not_an_image"),
    "web page": (b"<html>404 not found</html>", "not_an_image"),
    "cut png": (make.image()[:-30], "truncated"),
    "cut jpg": (make.image("jpg", width=200, height=200)[:400], "truncated"),
    "1.2e9 pixels": (make.png_that_claims(40_000, 30_000), "too_many_pixels"),
    "4.6e18 pixels": (make.png_that_claims(2**31 - 1, 2**31 - 1), "too_many_pixels"),
    "no width": (make.png_that_claims(0, 5), "not_an_image"),
    "gif of nothing": (b"GIF89a" + b"\xff" * 8, "not_an_image"),
    "png of zeros": (b"\x89PNG\r\n\x1a\n" + bytes(40), "not_an_image"),
    "good": (make.image(), ""),
}


def test_bad_images_among_good_ones_are_named(folder: Images) -> None:
    rows = read(folder({f"a/{name}.png": data for name, (data, _) in BAD_IMAGES.items()}))
    assert [row.reason for row in rows] == [BAD_IMAGES[name][1] for name in sorted(BAD_IMAGES)]


def test_an_image_of_more_pixels_than_allowed_is_named(folder: Images) -> None:
    path = folder({"a/1.png": make.image(width=100, height=100)})
    assert reasons(path, bounds=Bounds(max_pixels=9_999)) == ["too_many_pixels"]


def test_a_file_larger_than_allowed_is_named(folder: Images) -> None:
    assert reasons(folder({"a/1.bmp": make.image("bmp")}), bounds=Bounds(max_file_bytes=50)) == ["too_large"]


def test_metadata_as_of_an_imagefolder_is_read(folder: Images) -> None:
    lines = '{"file_name": "1.png", "label": "cat", "age": 3}\n{"file_name": "2.png", "label": "dog", "age": 4}\n'
    rows = read(folder({"metadata.jsonl": lines, "1.png": make.image(), "2.png": make.image()}))
    assert [(row.cells["label"], row.cells["age"]) for row in rows if row.cells] == [("cat", 3), ("dog", 4)]


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["cat/1.png", "readme.md"], "images"),
        (["7_jackson_32.wav"], "audio"),
        (["a/1.txt", "b/2.pdf"], "documents"),
        (["metadata.csv", "1.jpg"], "images"),
        (["data.csv", "README.md"], None),
        (["a.parquet"], None),
        ([".hidden.png"], None),
    ],
)
def test_a_folder_is_told_by_its_files(folder: Images, names: list[str], kind: str | None) -> None:
    assert kind_of(folder(dict.fromkeys(names, b"x"))) == kind


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_a_recording_is_kept_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "source" / "seven"
    path.mkdir(parents=True)
    make.sound(path / f"1.{kind}", seconds=0.5, channels=2)
    cells = read(tmp_path / "source", "audio")[0].cells
    assert cells == {
        "audio": (path / f"1.{kind}").read_bytes(),
        "label": "seven",
        "file": f"seven/1.{kind}",
        "seconds": 0.5,
        "rate": 8000,
        "channels": 2,
        "format": kind,
    }


def test_bad_recordings_are_named(tmp_path: Path) -> None:
    make.sound(tmp_path / "1.wav")
    whole = (tmp_path / "1.wav").read_bytes()
    (tmp_path / "2.wav").write_bytes(whole[:-100])
    (tmp_path / "3.wav").write_bytes(b"no")
    (tmp_path / "4.wav").write_bytes(whole[:44])
    (tmp_path / "5.txt").write_bytes(b"no")
    assert reasons(tmp_path, "audio") == ["", "truncated", "not_audio", "empty_audio", "other_kind"]


def test_a_recording_longer_than_allowed_is_named(tmp_path: Path) -> None:
    make.sound(tmp_path / "1.flac", seconds=3)
    assert reasons(tmp_path, "audio", bounds=Bounds(max_audio_s=2)) == ["too_long"]


def test_a_header_that_claims_many_channels_is_named(tmp_path: Path) -> None:
    make.sound(tmp_path / "1.wav")
    data = bytearray((tmp_path / "1.wav").read_bytes())
    data[22:24] = (60_000).to_bytes(2, "little")
    (tmp_path / "1.wav").write_bytes(data)
    assert reasons(tmp_path, "audio")[0] in {"not_audio", "bad_audio"}


def test_spoken_digits_get_their_labels_from_their_names(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "fsdd" / "recordings.zip") as archive:
        for name in archive.namelist()[::15]:
            archive.extract(name, tmp_path)
    rows = read(tmp_path, "audio", file_pattern=r"(?P<label>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.wav$")
    told = [row.cells for row in rows if row.cells]
    assert Counter(str(cells["label"]) for cells in told) == dict.fromkeys(map(str, range(10)), 20)
    assert {cells["rate"] for cells in told} == {8000}


def test_spoken_digits_get_their_labels_from_their_index(shared: Path, tmp_path: Path) -> None:
    index = (shared / "fsdd" / "index.csv").read_text().splitlines()[:31]
    (tmp_path / "index.csv").write_text("\n".join(index))
    with zipfile.ZipFile(shared / "fsdd" / "recordings.zip") as archive:
        for line in index[1:]:
            archive.extract(line.split(",")[0], tmp_path)
    rows = read(tmp_path, "audio", metadata="index.csv")
    assert [row.cells["digit"] for row in rows if row.cells] == [line.split(",")[1] for line in index[1:]]
