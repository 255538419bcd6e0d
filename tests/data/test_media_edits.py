"""Changes to images and recordings: they stay what they are."""

import io
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from PIL import Image

from modelmint.data.augmenting.audio_edits import AudioEdits, edit_audio
from modelmint.data.augmenting.image_edits import ImageEdits, edit_image

PLAIN: dict[str, Any] = {"crop": 0, "rotate": 0, "flip": False, "light": 0, "colour": 0, "erase": 0, "noise": 0}
SILENT: dict[str, Any] = {"gain_db": 0, "noise_db": None, "shift": 0, "speed": 0}
RATE = 8000


def png(pixels: npt.NDArray[np.uint8], kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def gradient(mode: str = "RGB") -> npt.NDArray[np.uint8]:
    grey = np.add.outer(np.arange(32), np.arange(24)).astype(np.uint8) * 4
    return grey if mode == "L" else np.stack([grey, grey[::-1], np.full_like(grey, 90)], axis=2)


def pixels_of(content: bytes) -> npt.NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(content))).astype(float)


def wave(num: int = RATE) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, 0.25 * np.sin(2 * np.pi * 440 * np.arange(num) / RATE), RATE, format="WAV")
    return stream.getvalue()


def samples_of(content: bytes) -> npt.NDArray[Any]:
    return np.asarray(soundfile.read(io.BytesIO(content))[0])


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_keeps_its_size_and_mode(mode: str, kind: str) -> None:
    changed = edit_image(png(gradient(mode), kind), ImageEdits(flip=True), Random(0))
    assert changed is not None
    made = Image.open(io.BytesIO(changed[0]))
    assert (made.size, made.mode, made.format) == ((24, 32), mode, "PNG")


@pytest.mark.parametrize(
    "edits", [{"crop": 0.2}, {"rotate": 20}, {"light": 0.3}, {"colour": 0.5}, {"erase": 0.2}, {"noise": 0.05}]
)
def test_each_change_alone_changes_a_little(edits: dict[str, Any]) -> None:
    changed = edit_image(png(gradient()), ImageEdits(**{**PLAIN, **edits}), Random(2))
    assert changed is not None
    difference = np.abs(pixels_of(changed[0]) - gradient()).mean()
    assert 0.1 < difference < 40
    assert changed[1] == next(iter(edits))


def test_flip_mirrors_about_half_of_the_copies() -> None:
    edits, original = ImageEdits(**{**PLAIN, "flip": True}), png(gradient())
    made = [edit_image(original, edits, Random(number)) for number in range(40)]
    mirrored = [np.array_equal(pixels_of(one[0]), gradient()[:, ::-1]) for one in made if one]
    assert 10 < sum(mirrored) < 30


def test_equal_dice_give_equal_bytes() -> None:
    assert edit_image(png(gradient()), ImageEdits(), Random(5)) == edit_image(png(gradient()), ImageEdits(), Random(5))


@pytest.mark.parametrize("content", [b"", b"no image", png(gradient())[:60], png(np.zeros((2, 2), np.uint8))])
def test_what_is_no_image_or_too_small_is_left_alone(content: bytes) -> None:
    assert edit_image(content, ImageEdits(), Random(0)) is None


def test_an_image_of_too_many_pixels_is_not_decoded() -> None:
    header = bytearray(png(np.zeros((8, 8), np.uint8)))
    header[16:24] = (30_000).to_bytes(4, "big") * 2  # the header's width and height
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    assert edit_image(bytes(header), ImageEdits(), Random(0)) is None


def test_a_recording_keeps_its_rate_and_about_its_length() -> None:
    changed = edit_audio(wave(), AudioEdits(), Random(1))
    assert changed is not None
    about = soundfile.info(io.BytesIO(changed[0]))
    assert about.samplerate == RATE
    assert 0.88 * RATE < about.frames < 1.13 * RATE


def test_gain_changes_loudness_alone() -> None:
    changed = edit_audio(wave(), AudioEdits(**{**SILENT, "gain_db": 6}), Random(1))
    assert changed is not None
    ratio = np.std(samples_of(changed[0])) / np.std(samples_of(wave()))
    assert 0.5 <= ratio <= 2
    assert np.corrcoef(samples_of(changed[0]), samples_of(wave()))[0, 1] > 0.9999


def test_noise_lies_below_the_recording_by_what_was_asked() -> None:
    changed = edit_audio(wave(), AudioEdits(**{**SILENT, "noise_db": 20}), Random(3))
    assert changed is not None
    noise = samples_of(changed[0]) - samples_of(wave())
    assert 19 < 20 * np.log10(np.std(samples_of(wave())) / np.std(noise)) < 41


def test_speed_changes_the_pitch() -> None:
    changed = edit_audio(wave(), AudioEdits(**{**SILENT, "speed": 0.2}), Random(4))
    assert changed is not None
    samples = samples_of(changed[0])
    pitch = np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples)
    assert 350 < pitch < 551
    assert abs(pitch - 440) > 5


def test_shift_leaves_silence_and_no_wrap_around() -> None:
    changed = edit_audio(wave(), AudioEdits(**{**SILENT, "shift": 0.4}), Random(6))
    assert changed is not None
    samples = samples_of(changed[0])
    assert len(samples) == RATE
    assert not samples[:50].any() or not samples[-50:].any()


@pytest.mark.parametrize("content", [b"", b"no sound", wave()[:30], wave(0)])
def test_what_is_no_recording_is_left_alone(content: bytes) -> None:
    assert edit_audio(content, AudioEdits(), Random(0)) is None
