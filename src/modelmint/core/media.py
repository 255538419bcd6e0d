"""Images and recordings as arrays: decoded within bounds, brought to one size or rate, turned into spectrograms.

It stands here, and knows NumPy alone, because training and serving must do the very same to a row: what a model's facts
say of its preparation (`Picture`, `Sound`) is all that serving needs, without PyTorch.

Shapes: h height, w width, c channels (1 grey, 3 colour), s samples, m mel bands, f frames.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON

Pixels: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

MAX_PIXELS = 50_000_000
MAX_AUDIO_S = 600.0
MAX_CHANNELS = 64
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_RATE = 768_000
"""Hz: no recording has more, and a filter from one that says so would be as long as the number."""
MAX_RATIO = 20_000
MAX_SCANS = 200
"""A progressive JPEG has about ten; each is a pass over all pixels."""
_JPEG, _SCAN = b"\xff\xd8", b"\xff\xda"
WINDOW_S = 0.025
FLOOR_DB = 80.0
"""What is so far below the loudest place of a recording counts as silence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """How an image is prepared: decoded, grey or colour, stretched to one size."""

    height: int
    width: int
    channels: int

    def read(self, content: bytes) -> Pixels:
        """(h, w, c) of an image file: the first frame, turned as its camera says, transparency on white.

        Raises:
            DataError: it cannot be decoded, or holds more than `MAX_PIXELS`.
        """
        from PIL import Image

        image = open_image(content).convert("L" if self.channels == 1 else "RGB")
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        return np.asarray(image, dtype=np.uint8).reshape(self.height, self.width, self.channels)

    def to_json(self) -> JSON:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JSON) -> Self:
        return cls(**value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """How a recording is prepared: one channel, one rate (Hz), cut or filled to `seconds`, log-mel spectrogram."""

    rate: int
    seconds: float
    num_mels: int = 64
    hop_s: float = 0.01

    def read(self, content: bytes) -> Floats:
        """(m, f) of a sound file: decibels below its own loudest place, from -1 (`FLOOR_DB` below) to 0.

        Raises:
            DataError: it cannot be decoded, is empty, or longer than `MAX_AUDIO_S`.
        """
        samples, rate = open_audio(content)
        return self.spectrogram(resample(samples, rate, self.rate))

    def spectrogram(self, samples_s: Floats) -> Floats:
        """(m, f) of samples at `rate`. Too long ones lose both ends alike; too short ones are filled with silence.

        Source: the mel scale of O'Shaughnessy (1987), triangles of equal area after Slaney (1998).
        """
        window, hop = max(2, round(WINDOW_S * self.rate)), max(1, round(self.hop_s * self.rate))
        samples_s = _fitted(samples_s, round(self.seconds * self.rate))
        padded_s = np.pad(samples_s, (window // 2, window))
        starts_f = np.arange(self.num_frames) * hop
        frames_fs = padded_s[starts_f[:, None] + np.arange(window)] * np.hanning(window).astype(np.float32)
        bank_mb, num_fft = _mel_bank(self.rate, self.num_mels, _power_of_two(window))
        power_fb = np.abs(np.fft.rfft(frames_fs, n=num_fft)).astype(np.float32) ** 2
        mels_mf = bank_mb @ power_fb.T
        loudest = max(float(mels_mf.max()), 1e-10)
        decibels_mf = 10 * np.log10(np.maximum(mels_mf / loudest, 10 ** (-FLOOR_DB / 10)))
        return np.asarray(decibels_mf / FLOOR_DB, dtype=np.float32)

    @property
    def num_frames(self) -> int:
        return 1 + round(self.seconds * self.rate) // max(1, round(self.hop_s * self.rate))

    def to_json(self) -> JSON:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JSON) -> Self:
        return cls(**value)


def scaled_pixels(arrays: Pixels, mean: Sequence[float], std: Sequence[float]) -> Floats:
    """(N, c, h, w) of images (N, h, w, c): from 0 to 1, less the mean, by the deviation of each channel."""
    shares = arrays.astype(np.float32) / np.float32(255)
    scaled = (shares - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def scaled_levels(arrays: npt.NDArray[Any], mean: float, std: float) -> Floats:
    """(N, 1, m, f) of spectrograms (N, m, f), less the mean, by the deviation. They are kept in 16 bits before."""
    levels = arrays.astype(np.float16).astype(np.float32)
    return np.asarray((levels - np.float32(mean)) / np.float32(std))[:, None]


def num_pixels(content: bytes) -> int:
    """How many an image has by what its file says ahead of them; nothing is decoded.

    Raises:
        DataError: it is no image.
    """
    _need("PIL", "images")
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            return int(image.width * image.height)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise _unreadable("image", f"one that does not decode ({str(error)[:200]})") from error


def open_image(content: bytes) -> Any:
    """A Pillow image of mode L or RGB.

    Raises:
        DataError: it cannot be decoded, or holds more than `MAX_PIXELS`.
        InputError: Pillow is not there.
    """
    _need("PIL", "images")
    from PIL import Image, ImageOps

    if content.startswith(_JPEG) and (num_scans := content.count(_SCAN)) > MAX_SCANS:
        raise _unreadable("image", f"a JPEG in {num_scans:,} scans; at most {MAX_SCANS:,} are read")
    try:
        image = Image.open(io.BytesIO(content), formats=IMAGE_FORMATS)
        size = image.width * image.height
        if size > MAX_PIXELS:
            raise _unreadable("image", f"{size:,} pixels; at most {MAX_PIXELS:,} are read")
        image = ImageOps.exif_transpose(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
        elif image.mode.startswith("I;16") or image.mode in ("I", "F"):
            image = Image.fromarray(_eight_bits(np.asarray(image)))
        return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise _unreadable("image", f"one that does not decode ({str(error)[:200]})") from error


def open_audio(content: bytes) -> tuple[Floats, int]:
    """(s,) the mean of the channels, from -1 to 1, and the rate in Hz.

    Raises:
        DataError: it cannot be decoded, is empty, or longer than `MAX_AUDIO_S`.
        InputError: soundfile is not there.
    """
    _need("soundfile", "recordings")
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate, channels = int(file.samplerate), int(file.channels)
            if not 1 <= channels <= MAX_CHANNELS or not 1 <= rate <= MAX_RATE:
                raise _unreadable("audio", f"{channels:,} channels at {rate:,} Hz")
            most = int(MAX_AUDIO_S * rate)
            parts = []
            while len(block := file.read(1 << 18, dtype="float32", always_2d=True)):
                parts.append(block.mean(axis=1, dtype=np.float32))
                if sum(map(len, parts)) > most:
                    raise _unreadable("audio", f"more than {MAX_AUDIO_S:g} s")
    except (soundfile.LibsndfileError, TypeError) as error:
        raise _unreadable("audio", f"one that does not decode ({str(error)[:200]})") from error
    samples_s = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if not len(samples_s) or not np.isfinite(samples_s).all():
        raise _unreadable("audio", "one without samples, or with some that are no numbers")
    return samples_s, rate


def resample(samples_s: Floats, rate: int, wanted: int) -> Floats:
    """(s,) at another rate, by a polyphase filter."""
    if rate == wanted:
        return samples_s
    from scipy.signal import resample_poly

    ratio = Fraction(wanted, rate).limit_denominator(MAX_RATIO)  # an odd rate would take a filter as long as itself
    return np.asarray(resample_poly(samples_s, ratio.numerator, ratio.denominator), dtype=np.float32)


def _fitted(samples_s: Floats, num_samples: int) -> Floats:
    if len(samples_s) > num_samples:
        start = (len(samples_s) - num_samples) // 2
        return samples_s[start : start + num_samples]
    before = (num_samples - len(samples_s)) // 2
    return np.pad(samples_s, (before, num_samples - len(samples_s) - before))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


@lru_cache(maxsize=16)
def _mel_bank(rate: int, num_mels: int, num_fft: int) -> tuple[Floats, int]:
    """(m, num_fft / 2 + 1) what each frequency adds to each band."""
    while True:
        frequencies = np.linspace(0, rate / 2, num_fft // 2 + 1)
        mels = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), num_mels + 2)
        edges = 700 * (10 ** (mels / 2595) - 1)
        rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
        bank_mb = np.maximum(0, np.minimum(rising, falling))
        if bank_mb.any(axis=1).all():
            area_m = 2 / (edges[2:] - edges[:-2])
            return np.asarray(bank_mb * area_m[:, None], dtype=np.float32), num_fft
        num_fft *= 2  # the lowest bands are narrower than a frequency: look finer


def _eight_bits(values: npt.NDArray[Any]) -> Pixels:
    most = 65535 if values.dtype.kind in "ui" and values.max(initial=0) > 255 else 255
    return np.asarray(np.clip(values.astype(np.float64) * (255 / most), 0, 255), dtype=np.uint8)


def _need(library: str, what: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise InputError(
            f"{library}: must be installed to read {what}; it is not there",
            remedy="pip install 'modelmint[media]'.",
        )


def _unreadable(name: str, given: str) -> DataError:
    return DataError(
        f"{name}: must be one that can be read; got {given}",
        parameter=name,
        remedy="Run collect on the folder: it puts what cannot be decoded into quarantine.",
    )
