"""Small changes to a recording that leave what is heard: louder or softer, noise, earlier or later, faster or slower."""

import io
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelmint.core.spec import Spec

MAX_SAMPLES = 60_000_000
"""A longer recording is left alone: it would take too much memory."""
_QUIETER_DB = 20


class AudioEdits(Spec):
    """How copies of recordings are changed: all of these at once, each by a random amount up to the one given."""

    gain_db: float = Field(default=6, ge=0, le=40)
    """Louder or softer by up to so many decibels."""
    noise_db: float | None = Field(default=25, ge=0, le=80)
    """White noise that lies at least so many decibels below the recording; null adds none."""
    shift: float = Field(default=0.1, ge=0, le=0.5)
    """Moved to an earlier or later place by up to this share of its length; silence fills the gap."""
    speed: float = Field(default=0.1, ge=0, le=0.5)
    """Played faster or slower (and so higher or lower) by up to this share."""


def edit_audio(content: bytes, edits: AudioEdits, dice: Random) -> tuple[bytes, str] | None:
    """The changed recording as 16-bit WAV with its sample rate, and which changes were made; None where it cannot be
    read, is empty or is too long.
    """
    import soundfile

    try:
        about = soundfile.info(io.BytesIO(content))
        if about.frames < 1 or about.frames * about.channels > MAX_SAMPLES:
            return None
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError):
        return None  # what does not decode stays as it is
    done = []
    if edits.speed:
        samples = _at_speed(samples, 1 + dice.uniform(-edits.speed, edits.speed))
        done.append("speed")
    if edits.shift:
        samples = _shifted(samples, round(dice.uniform(-edits.shift, edits.shift) * len(samples)))
        done.append("shift")
    if edits.noise_db is not None:
        below_db = dice.uniform(edits.noise_db, edits.noise_db + _QUIETER_DB)
        loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        random = np.random.default_rng(dice.getrandbits(64))
        samples = samples + random.normal(0, loudness * 10 ** (-below_db / 20), samples.shape)
        done.append("noise")
    if edits.gain_db:
        samples = samples * 10 ** (dice.uniform(-edits.gain_db, edits.gain_db) / 20)
        done.append("gain")
    if not done:
        return None
    written = io.BytesIO()
    soundfile.write(written, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return written.getvalue(), "+".join(done)


def _at_speed(samples: npt.NDArray[Any], factor: float) -> npt.NDArray[Any]:
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(samples, 100, max(1, round(100 * factor)), axis=0))


def _shifted(samples: npt.NDArray[Any], by: int) -> npt.NDArray[Any]:
    moved = np.zeros_like(samples)
    if by >= 0:
        moved[by:] = samples[: len(samples) - by]
    else:
        moved[:by] = samples[-by:]
    return moved
