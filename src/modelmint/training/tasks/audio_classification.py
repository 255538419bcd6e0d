"""One label a recording: log-mel spectrogram, small residual network from nothing. Imports PyTorch.

The folder holds `model.safetensors`; `modelmint.json` says how a recording becomes a spectrogram (`core.media.Sound`),
which NumPy alone repeats, and what the network's sizes are.

Shapes: b rows of a batch, m mel bands, f frames, l labels.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from modelmint.core.media import Sound, open_audio
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.training.dice import uniform
from modelmint.training.learner import Setting
from modelmint.training.tasks.array_learner import ArrayLearner, architecture_told, new_cnn, sampled
from modelmint.training.tasks.array_model import ArrayClassifier, load_cnn

SAMPLE = 512
MAX_RATE = 16_000
MAX_SECONDS = 10.0
NUM_MASKS = 2


class Augment(Spec):
    """How training spectrograms are changed anew in every epoch: all of these at once, each by a random amount."""

    shift: float = Field(default=0.15, ge=0, le=0.5)
    """Earlier or later by up to this share of the length; silence fills the gap."""
    pitch: float = Field(default=0.05, ge=0, le=0.5)
    """Higher or lower by up to this share of the mel bands."""
    bands: float = Field(default=0.15, ge=0, le=0.5)
    """Two stripes of up to this share of the mel bands are painted over (SpecAugment, Park et al. 2019)."""
    frames: float = Field(default=0.15, ge=0, le=0.5)
    """Two stripes of up to this share of the time are painted over."""


class AudioOptions(Spec):
    """What audio classification alone knows."""

    rate: int | None = Field(default=None, ge=1_000, le=192_000)
    """The rate in Hz that recordings are brought to; null is the commonest of the training rows, 16,000 at most."""
    seconds: float | None = Field(default=None, gt=0, le=600)
    """What longer recordings are cut to (both ends lose alike) and shorter ones are filled to with silence; null is the
    length that 19 of 20 training rows keep to, 10 s at most."""
    mels: int = Field(default=64, ge=8, le=256)
    """Mel bands."""
    augment: Augment | None = Field(default_factory=Augment)
    """How training recordings are changed; null leaves them as they are."""


class AudioClassification(ArrayLearner):
    """Labels are the sorted ones of the training rows; validation rows of another label are left out and counted."""

    Options = AudioOptions
    column = "audio"

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        about = setting.beginning.about
        self.mean, self.std = float(about.get("mean", 0.0)), float(about.get("std", 1.0))

    def prepare(self, dataset: Dataset) -> None:
        about = self.setting.beginning.about
        self.sound = Sound.from_json(about["sound"]) if about else self._sound(dataset)

    def new_arrays(self, num_rows: int) -> npt.NDArray[np.float16]:
        return np.empty((num_rows, self.sound.num_mels, self.sound.num_frames), dtype=np.float16)

    def decoded(self, content: bytes) -> npt.NDArray[Any]:
        return self.sound.read(content)

    def fit(self, arrays: npt.NDArray[Any]) -> None:
        parts = [arrays[start : start + 256].astype(np.float64) for start in range(0, len(arrays), 256)]
        self.mean = round(sum(part.sum() for part in parts) / arrays.size, 6)
        variance = sum(((part - self.mean) ** 2).sum() for part in parts) / arrays.size
        self.std = round(max(math.sqrt(variance), 1e-3), 6)

    def inputs(self, arrays: npt.NDArray[Any], numbers: Sequence[int] | None, device: torch.device) -> Tensor:
        levels_bmf = standardised(arrays, self.mean, self.std, device)
        augment = self.setting.options.augment
        if numbers is None or augment is None:
            return levels_bmf
        silence = (-1.0 - self.mean) / self.std
        return changed(levels_bmf, augment, uniform(self.setting.seed, numbers, 2 + 4 * NUM_MASKS), silence)

    def new_model(self) -> nn.Module:
        return new_cnn(self, channels=1, side=_short_side(self.sound))

    def facts(self) -> JSON:
        prepared = {"sound": self.sound.to_json(), "mean": self.mean, "std": self.std}
        return super().facts() | prepared | architecture_told(self.setting)

    def _sound(self, dataset: Dataset) -> Sound:
        options: AudioOptions = self.setting.options
        rates, lengths_s = Counter[int](), []
        for samples_s, rate in sampled(dataset, self.column, open_audio, SAMPLE):
            rates[rate] += 1
            lengths_s.append(len(samples_s) / rate)
        longest_s = sorted(lengths_s)[int(0.95 * (len(lengths_s) - 1))] if lengths_s else 1.0
        commonest = min(rates, key=lambda rate: (-rates[rate], rate)) if rates else MAX_RATE
        return Sound(
            rate=options.rate or min(MAX_RATE, commonest),
            seconds=options.seconds or min(MAX_SECONDS, math.ceil(longest_s * 10) / 10),
            num_mels=options.mels,
        )


def standardised(arrays: npt.NDArray[Any], mean: float, std: float, device: torch.device) -> Tensor:
    """(b, 1, m, f) of spectrograms (b, m, f)."""
    return ((torch.from_numpy(arrays).to(device).float() - mean) / std).unsqueeze(1)


def changed(levels_b1mf: Tensor, augment: Augment, dice_bk: npt.NDArray[np.float32], silence: float) -> Tensor:
    """Each spectrogram moved in time and pitch, and striped, by its own random numbers (b, 2 + 4 x stripes)."""
    dice = torch.from_numpy(dice_bk).to(levels_b1mf.device)
    num_mels, num_frames = levels_b1mf.shape[2:]
    moved = _moved(levels_b1mf, (dice[:, 0] * 2 - 1) * augment.shift * num_frames, 3, silence)
    moved = _moved(moved, (dice[:, 1] * 2 - 1) * augment.pitch * num_mels, 2, silence)
    for at in range(NUM_MASKS):
        pairs = dice[:, 2 + 4 * at : 6 + 4 * at]
        moved = moved.masked_fill(_stripe(num_mels, augment.bands, pairs[:, :2])[:, None, :, None], 0.0)
        moved = moved.masked_fill(_stripe(num_frames, augment.frames, pairs[:, 2:])[:, None, None, :], 0.0)
    return moved.contiguous(memory_format=torch.channels_last)


def load_sounds(folder: Path) -> "AudioClassifier":
    """The classifier in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    model, about = load_cnn(folder, lambda about: (1, _short_side(Sound.from_json(about["sound"]))))
    return AudioClassifier(model, about)


class AudioClassifier(ArrayClassifier):
    """A trained classifier of recordings: reads the column ``audio``."""

    column = "audio"

    def prepare(self, about: JSON) -> Callable[[bytes], npt.NDArray[Any]]:
        self._mean, self._std = float(about["mean"]), float(about["std"])
        self._sound = Sound.from_json(about["sound"])
        return lambda content: self._sound.read(content).astype(np.float16)  # as training keeps them

    @property
    def sizes(self) -> tuple[int, int, int]:
        return 1, self._sound.num_mels, self._sound.num_frames

    def inputs(self, arrays: npt.NDArray[Any], device: torch.device) -> Tensor:
        return standardised(arrays, self._mean, self._std, device)


def _short_side(sound: Sound) -> int:
    return min(sound.num_mels, sound.num_frames)


def _moved(levels: Tensor, by_b: Tensor, axis: int, silence: float) -> Tensor:
    """Rolled along an axis by whole places; what would come round is silence."""
    length = levels.shape[axis]
    places_bt = torch.arange(length, device=levels.device) - by_b.round().long()[:, None]
    shape = [levels.shape[0], 1, 1, 1]
    shape[axis] = length
    outside = ((places_bt < 0) | (places_bt >= length)).view(shape)
    index = places_bt.clamp(0, length - 1).view(shape).expand_as(levels)
    return levels.gather(axis, index).masked_fill(outside, silence)


def _stripe(length: int, most: float, dice_b2: Tensor) -> Tensor:
    """(b, length) where a stripe of up to this share lies."""
    width_b1 = dice_b2[:, :1] * most * length
    start_b1 = dice_b2[:, 1:] * (length - width_b1)
    at = torch.arange(length, device=dice_b2.device)
    return (at >= start_b1) & (at < start_b1 + width_b1)
