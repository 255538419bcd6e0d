"""Small changes to an image that leave what it shows: crop, turn, light, colour, a patch out, noise."""

import io
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from pydantic import Field

from modelmint.core.spec import Spec

MAX_PIXELS = 50_000_000
"""A larger image is left alone: decoding it would take too much memory."""
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")


class ImageEdits(Spec):
    """How copies of images are changed: all of these at once, each by a random amount up to the one given."""

    crop: float = Field(default=0.1, ge=0, le=0.5)
    """Up to this share of the width and height is cut off; the rest is stretched to the size that it had."""
    rotate: float = Field(default=10, ge=0, le=180)
    """Turned by up to so many degrees to either side."""
    flip: bool = False
    """Whether half of the copies are mirrored left to right. Off, since digits and letters may not be."""
    light: float = Field(default=0.2, ge=0, le=0.9)
    """Brightness and contrast change by up to this share."""
    colour: float = Field(default=0.2, ge=0, le=0.9)
    """The strength of the colours changes by up to this share."""
    erase: float = Field(default=0.1, ge=0, le=0.5)
    """A rectangle of up to this share of the area is painted over (random erasing, Zhong et al. 2017)."""
    noise: float = Field(default=0.02, ge=0, le=0.5)
    """The standard deviation of noise on every pixel, up to this share of white."""


def edit_image(content: bytes, edits: ImageEdits, dice: Random) -> tuple[bytes, str] | None:
    """The changed image as PNG, and which changes were made; None where it cannot be read or is too large."""
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
        if image.width * image.height > MAX_PIXELS:
            return None
        image = ImageOps.exif_transpose(image)
        image = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # what does not decode stays as it is
    if image.width < 4 or image.height < 4:
        return None
    done = []
    for name, change in _CHANGES.items():
        amount = float(getattr(edits, name))
        if amount > 0:
            image = change(image, amount, dice)
            done.append(name)
    written = io.BytesIO()
    image.save(written, "PNG")
    return (written.getvalue(), "+".join(done)) if done else None


def _crop(image: Any, most: float, dice: Random) -> Any:
    from PIL import Image

    width, height = image.size
    left, top = dice.uniform(0, most) * width, dice.uniform(0, most) * height
    before_x, before_y = dice.random() * left, dice.random() * top
    box = (before_x, before_y, width - left + before_x, height - top + before_y)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=box)


def _rotate(image: Any, degrees: float, dice: Random) -> Any:
    from PIL import Image

    corners = np.asarray(image)[[0, 0, -1, -1], [0, -1, 0, -1]]
    fill = tuple(int(one) for one in np.atleast_1d(corners.mean(axis=0).round()))
    colour = fill if len(fill) > 1 else fill[0]
    return image.rotate(dice.uniform(-degrees, degrees), Image.Resampling.BILINEAR, fillcolor=colour)


def _flip(image: Any, _amount: float, dice: Random) -> Any:
    from PIL import ImageOps

    return ImageOps.mirror(image) if dice.random() < 0.5 else image


def _light(image: Any, most: float, dice: Random) -> Any:
    from PIL import ImageEnhance

    brighter = ImageEnhance.Brightness(image).enhance(1 + dice.uniform(-most, most))
    return ImageEnhance.Contrast(brighter).enhance(1 + dice.uniform(-most, most))


def _colour(image: Any, most: float, dice: Random) -> Any:
    from PIL import ImageEnhance

    return image if image.mode == "L" else ImageEnhance.Color(image).enhance(1 + dice.uniform(-most, most))


def _erase(image: Any, most: float, dice: Random) -> Any:
    from PIL import Image

    pixels = np.array(image)
    height, width = pixels.shape[:2]
    area, tall = dice.uniform(0, most) * height * width, dice.uniform(0.5, 2.0)
    high = max(1, min(height, round((area * tall) ** 0.5)))
    wide = max(1, min(width, round((area / tall) ** 0.5)))
    top, left = dice.randint(0, height - high), dice.randint(0, width - wide)
    colour = pixels.reshape(height * width, -1).mean(axis=0).round().astype(np.uint8)
    pixels[top : top + high, left : left + wide] = colour if pixels.ndim == 3 else colour[0]
    return Image.fromarray(pixels, image.mode)


def _noise(image: Any, most: float, dice: Random) -> Any:
    from PIL import Image

    pixels = np.array(image)
    random = np.random.default_rng(dice.getrandbits(64))
    noisy = pixels + random.normal(0, 255 * dice.uniform(0, most), pixels.shape)
    if image.mode == "RGBA":
        noisy[..., 3] = pixels[..., 3]
    return Image.fromarray(np.clip(noisy.round(), 0, 255).astype(np.uint8), image.mode)


_CHANGES: dict[str, Callable[[Any, float, Random], Any]] = {
    "crop": _crop,
    "rotate": _rotate,
    "flip": _flip,
    "light": _light,
    "colour": _colour,
    "erase": _erase,
    "noise": _noise,
}
