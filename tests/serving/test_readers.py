"""Images and recordings as a model's file takes them in, and what is refused before it is decoded."""

import io
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.core.inputs import AUDIO, IMAGE, Input
from modelmint.serving.readers import FileReader, PictureReader, SoundReader
from tests.training.tasks.media import pictures, recordings

PICTURE = {"picture": {"height": 4, "width": 4, "channels": 1}, "mean": [0.5], "std": [0.5]}
SOUND = {"sound": {"rate": 4_000, "seconds": 0.1, "num_mels": 8, "hop_s": 0.01}, "mean": -0.5, "std": 0.2}


@pytest.fixture
def images() -> FileReader:
    return PictureReader(Path(), PICTURE, IMAGE)


def image_of(size: tuple[int, int], form: str = "PNG", **options: Any) -> Input:
    from PIL import Image

    written = io.BytesIO()
    Image.new("1", size).save(written, form, **options)
    return {"image": b64encode(written.getvalue()).decode()}


@pytest.mark.parametrize(
    ("reader", "column", "make", "shape"),
    [
        (lambda: PictureReader(Path(), PICTURE, IMAGE), "image", pictures, (2, 1, 4, 4)),
        (lambda: SoundReader(Path(), SOUND, AUDIO), "audio", recordings, (2, 1, 8, 11)),
    ],
)
def test_files_become_arrays_of_one_size(
    reader: Callable[[], FileReader], column: str, make: Callable[..., Any], shape: tuple[int, ...]
) -> None:
    opened = reader()
    encodings = opened.encode([{column: b64encode(row[column]).decode()} for row in make(2)])
    pixels = opened.feeds(encodings)["pixels"]
    assert (pixels.shape, pixels.dtype, list(map(len, encodings))) == (shape, np.float32, [0, 0])


def test_its_own_example_can_be_read() -> None:
    for reader in (PictureReader(Path(), PICTURE, IMAGE), SoundReader(Path(), SOUND, AUDIO)):
        reader.check([reader.example])
        assert len(reader.encode([reader.example])) == 1


def test_images_of_too_many_pixels_together_are_refused_undecoded(images: FileReader) -> None:
    bomb = image_of((5_000, 5_000))
    images.check([bomb, bomb])
    with pytest.raises(InputError, match=r"at most 50,000,000 pixels together; got 75,000,000"):
        images.check([bomb] * 3)


def test_too_many_files_are_refused(images: FileReader) -> None:
    with pytest.raises(InputError, match="at most 32 files; got 33"):
        images.check([images.example] * 33)


@pytest.mark.parametrize("content", [b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8" + b"\xff\xda" * 300])
def test_what_is_no_image_is_an_error_of_the_input(images: FileReader, content: bytes) -> None:
    with pytest.raises(DataError, match="image: must be one that can be read"):
        images.encode([{"image": b64encode(content).decode()}])


@pytest.mark.parametrize("rate", [0x7FFFFFFF, 768_001])
def test_a_recording_that_says_an_impossible_rate_is_refused(rate: int) -> None:
    reader = SoundReader(Path(), SOUND, AUDIO)
    head = b"RIFF" + (40).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\1\0\1\0"
    content = head + rate.to_bytes(4, "little") + bytes(4) + b"\2\0\x10\0data\4\0\0\0" + bytes(4)
    with pytest.raises(DataError, match="audio: must be one that can be read"):
        reader.encode([{"audio": b64encode(content).decode()}])


def test_a_rate_without_a_common_divisor_takes_no_filter_of_its_length() -> None:
    from modelmint.core.media import resample

    assert len(resample(np.zeros(191_999, np.float32), 191_999, 16_000)) == pytest.approx(16_000, abs=2)
