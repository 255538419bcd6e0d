"""One label an image: a small residual network from nothing, or a base of images. Imports PyTorch.

The folder of a network from nothing holds `model.safetensors`; that of a base is a plain Hugging Face one
(`AutoModelForImageClassification` reads it). `modelmint.json` says how an image is prepared.

Shapes: b rows of a batch, c channels, h height, w width, l labels.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import InputError
from modelmint.core.media import Picture, open_image
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.training.dice import uniform
from modelmint.training.learner import Setting
from modelmint.training.methods.tune import tune
from modelmint.training.tasks.array_learner import (
    ArrayLearner,
    architecture_told,
    new_cnn,
    sampled,
)
from modelmint.training.tasks.array_model import ArrayClassifier, load_cnn
from modelmint.training.tasks.table import read_about
from modelmint.training.vision import VisionModel, load_vision, preparation, relabel, save_vision

SAMPLE = 256
MIN_SIDE, MAX_SIDE = 8, 224


class Augment(Spec):
    """How training images are changed anew in every epoch: all of these at once, each by a random amount."""

    shift: float = Field(default=0.08, ge=0, le=0.5)
    """Moved by up to this share of the height and width; the edge is continued."""
    rotate: float = Field(default=8, ge=0, le=180)
    """Turned by up to so many degrees to either side."""
    zoom: float = Field(default=0.1, ge=0, le=0.5)
    """Larger or smaller by up to this share."""
    flip: bool = False
    """Whether half of them are mirrored left to right. Off, since digits and letters may not be."""
    erase: float = Field(default=0.0, ge=0, le=0.5)
    """A square of up to this share of the area is painted over (random erasing, Zhong et al. 2017)."""


class ImageOptions(Spec):
    """What image classification alone knows."""

    size: int | tuple[int, int] | None = None
    """Pixels of the side that images are brought to, or height and width; null is the median of the training images, 224
    at most. A base brings its own."""
    colour: bool | None = None
    """Read colours; null does where the training images have some."""
    augment: Augment | None = Field(default_factory=Augment)
    """How training images are changed; null leaves them as they are."""


class ImageClassification(ArrayLearner):
    """Labels are the sorted ones of the training rows; validation rows of another label are left out and counted."""

    Options = ImageOptions
    column = "image"

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        about = setting.beginning.about
        self.mean, self.std = about.get("mean", [0.0]), about.get("std", [1.0])
        folder = setting.beginning.folder
        self.base = folder if folder is not None and "architecture" not in about else None
        if self.base is not None:
            self.head = "encoder.classifier."

    def prepare(self, dataset: Dataset) -> None:
        about = self.setting.beginning.about
        if about:
            self.picture = Picture.from_json(about["picture"])
        elif self.base is not None:
            self.picture, self.mean, self.std = preparation(self.base)
        else:
            self.picture = self._picture(dataset)

    def new_arrays(self, num_rows: int) -> npt.NDArray[np.uint8]:
        picture = self.picture
        return np.empty((num_rows, picture.height, picture.width, picture.channels), dtype=np.uint8)

    def decoded(self, content: bytes) -> npt.NDArray[np.uint8]:
        return self.picture.read(content)

    def fit(self, arrays: npt.NDArray[Any]) -> None:
        if self.base is None:
            self.mean, self.std = channel_moments(arrays)

    def inputs(self, arrays: npt.NDArray[Any], numbers: Sequence[int] | None, device: torch.device) -> Tensor:
        pixels_bchw = standardised(arrays, self.mean, self.std, device)
        augment = self.setting.options.augment
        if numbers is None or augment is None:
            return pixels_bchw
        return changed(pixels_bchw, augment, uniform(self.setting.seed, numbers, 8))

    def new_model(self) -> nn.Module:
        if self.base is not None:
            return self._from_base(self.base)
        return new_cnn(self, channels=self.picture.channels, side=min(self.picture.height, self.picture.width))

    def save(self, model: nn.Module, folder: Path) -> None:
        if self.base is not None:
            save_vision(model, self.base, folder)
        else:
            super().save(model, folder)

    def facts(self) -> JSON:
        prepared = {"picture": self.picture.to_json(), "mean": self.mean, "std": self.std}
        return super().facts() | prepared | (architecture_told(self.setting) if self.base is None else {})

    def _from_base(self, folder: Path) -> VisionModel:
        model, known = load_vision(folder), self.setting.beginning.about.get("labels", ())
        relabel(model, self.labels, known=known)
        tune(model, self.setting.spec.method, num_steps=self.num_steps)
        for name, weight in model.named_parameters():
            if name.startswith(self.head):
                weight.requires_grad_(True)
        if self.knobs.gradient_checkpointing:
            model.encoder.gradient_checkpointing_enable()
        return model

    def _picture(self, dataset: Dataset) -> Picture:
        options: ImageOptions = self.setting.options
        size = options.size
        images = sampled(dataset, self.column, open_image, SAMPLE)
        colour = options.colour if options.colour is not None else any(_has_colour(image) for image in images)
        if size is None:
            heights, widths = [image.height for image in images] or [32], [image.width for image in images] or [32]
            size = (_side(heights), _side(widths))
        height, width = (size, size) if isinstance(size, int) else size
        if not (MIN_SIDE <= height <= 1024 and MIN_SIDE <= width <= 1024):
            raise InputError(
                f"options.size: must be from {MIN_SIDE} to 1024; got {size}",
                parameter="options.size",
                remedy="Set train.options.size to 32, 64 or 224.",
            )
        return Picture(height=height, width=width, channels=3 if colour else 1)


def standardised(arrays: npt.NDArray[Any], mean: Sequence[float], std: Sequence[float], device: torch.device) -> Tensor:
    """(b, c, h, w) of bytes (b, h, w, c): from 0 to 1, less the mean, by the deviation. Channels last in memory."""
    pixels_bhwc = torch.from_numpy(arrays).to(device).float() / 255
    scaled = (pixels_bhwc - torch.tensor(mean, device=device)) / torch.tensor(std, device=device)
    return scaled.permute(0, 3, 1, 2)


def channel_moments(arrays: npt.NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel of bytes (N, h, w, c), as shares of white."""
    means, stds = [], []
    for channel in range(arrays.shape[3]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(arrays), 4096):
            counts += np.bincount(arrays[start : start + 4096, :, :, channel].ravel(), minlength=256)
        values = np.arange(256) / 255
        mean = float((counts * values).sum() / counts.sum())
        deviation = float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))
        means.append(round(mean, 6))
        stds.append(round(max(deviation, 1e-3), 6))
    return means, stds


def changed(pixels_bchw: Tensor, augment: Augment, dice_bk: npt.NDArray[np.float32]) -> Tensor:
    """Each image moved, turned, zoomed, mirrored and painted over by its own random numbers (b, 8)."""
    dice = torch.from_numpy(dice_bk).to(pixels_bchw.device)
    signed = dice * 2 - 1
    angle_b = signed[:, 0] * (augment.rotate * torch.pi / 180)
    scale_b = 1 + signed[:, 1] * augment.zoom
    mirror_b = torch.where(dice[:, 2] < 0.5, -1.0, 1.0) if augment.flip else torch.ones_like(angle_b)
    cos_b, sin_b = angle_b.cos() * scale_b, angle_b.sin() * scale_b
    shift_b2 = signed[:, 3:5] * (2 * augment.shift)
    theta = torch.stack(
        [
            torch.stack([cos_b * mirror_b, -sin_b, shift_b2[:, 0]], dim=1),
            torch.stack([sin_b * mirror_b, cos_b, shift_b2[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta, list(pixels_bchw.shape), align_corners=False)
    moved = functional.grid_sample(pixels_bchw, grid, padding_mode="border", align_corners=False)
    if augment.erase:
        moved = _erased(moved, augment.erase, dice[:, 5:8])
    return moved.contiguous(memory_format=torch.channels_last)


def load_images(folder: Path) -> "ImageClassifier":
    """The classifier in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    about = read_about(folder)
    if (folder / "config.json").is_file():
        return ImageClassifier(load_vision(folder), about)
    model, about = load_cnn(folder, lambda about: (about["picture"]["channels"], _short_side(about["picture"])))
    return ImageClassifier(model, about)


class ImageClassifier(ArrayClassifier):
    """A trained classifier of images: reads the column ``image``."""

    column = "image"

    def prepare(self, about: JSON) -> Callable[[bytes], npt.NDArray[Any]]:
        self._mean, self._std = about["mean"], about["std"]
        self._picture = Picture.from_json(about["picture"])
        return self._picture.read

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self._picture.channels, self._picture.height, self._picture.width

    def inputs(self, arrays: npt.NDArray[Any], device: torch.device) -> Tensor:
        return standardised(arrays, self._mean, self._std, device)


def _short_side(picture: Mapping[str, int]) -> int:
    return min(picture["height"], picture["width"])


def _erased(pixels_bchw: Tensor, most: float, dice_b3: Tensor) -> Tensor:
    height, width = pixels_bchw.shape[2:]
    side_b = (dice_b3[:, 0] * most).sqrt() / 2
    ys, xs = torch.linspace(0, 1, height, device=dice_b3.device), torch.linspace(0, 1, width, device=dice_b3.device)
    inside_bh = (ys - dice_b3[:, 1:2]).abs() <= side_b[:, None]
    inside_bw = (xs - dice_b3[:, 2:3]).abs() <= side_b[:, None]
    return pixels_bchw.masked_fill((inside_bh[:, :, None] & inside_bw[:, None, :])[:, None], 0.0)


def _side(lengths: Sequence[int]) -> int:
    return int(min(MAX_SIDE, max(MIN_SIDE, sorted(lengths)[len(lengths) // 2])))


def _has_colour(image: Any) -> bool:
    if image.mode == "L":
        return False
    small = np.asarray(image.resize((32, 32)), dtype=np.int16)
    return bool((small.max(axis=2) - small.min(axis=2)).max() > 8)
