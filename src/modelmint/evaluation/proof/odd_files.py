"""Images and recordings that find what ordinary rows do not: made from evaluation rows, in other forms and sizes.

The endpoint must answer them as the trained model does.
"""

import io
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from modelmint.core.inputs import IMAGE, MAX_FILE_BYTES
from modelmint.core.media import open_audio, open_image
from modelmint.evaluation.proof.adversarial import TOO_LONG, Odd

Change: TypeAlias = Callable[[bytes], bytes]


def odd_files(contents: Sequence[bytes], column: str, *, num_rows: int, seed: int) -> list[Odd]:
    """At most `num_rows` changed files, of every kind about as many; one of them is larger than the API takes.

    Args:
        contents: rows of evaluation; at least one.
        column: ``image`` or ``audio``.
    """
    if num_rows == 0:
        return []
    kinds = _IMAGES if (column,) == IMAGE else _SOUNDS
    order = np.random.default_rng(seed).permutation(len(contents)).tolist()
    found = [
        Odd(kind=kind, given={column: b64encode(content).decode("ascii")})
        for kind, content in _made(kinds, [contents[at] for at in order], num_rows - 1)
    ]
    too_long = b64encode(contents[0].ljust(MAX_FILE_BYTES + 3, b"\0")).decode("ascii")  # what follows is not read
    return [*found, Odd(kind=TOO_LONG, given={column: too_long})]


def _made(kinds: Mapping[str, Change], contents: Sequence[bytes], num_rows: int) -> Iterator[tuple[str, bytes]]:
    """Every kind in turn, each time of the next row; what grew too large for the API is left out."""
    names = list(kinds)
    for at in range(min(num_rows, len(names) * len(contents))):
        kind = names[at % len(names)]
        changed = kinds[kind](contents[(at // len(names) + at) % len(contents)])
        if len(changed) <= MAX_FILE_BYTES:
            yield kind, changed


def _image(change: Callable[[Any], Any], form: str = "PNG", **options: Any) -> Change:
    def run(content: bytes) -> bytes:
        written = io.BytesIO()
        change(open_image(content)).save(written, form, **options)
        return written.getvalue()

    return run


def _sound(change: Callable[[Any, int], tuple[Any, int]], form: str = "WAV", subtype: str = "PCM_16") -> Change:
    def run(content: bytes) -> bytes:
        import soundfile

        samples, rate = change(*open_audio(content))
        written = io.BytesIO()
        soundfile.write(written, samples, rate, format=form, subtype=subtype)
        return written.getvalue()

    return run


_IMAGES: Mapping[str, Change] = {
    "twice as large": _image(lambda image: image.resize((image.width * 2, image.height * 2))),
    "another shape": _image(lambda image: image.resize((image.width * 3, max(1, image.height // 2)))),
    "one pixel": _image(lambda image: image.resize((1, 1))),
    "as JPEG": _image(lambda image: image, "JPEG", quality=90),
    "as WebP": _image(lambda image: image, "WEBP", lossless=True),
    "as BMP": _image(lambda image: image, "BMP"),
    "a palette": _image(lambda image: image.convert("P")),
    "transparent": _image(lambda image: image.convert("RGBA")),
    "black and white": _image(lambda image: image.convert("1")),
    "in colour": _image(lambda image: image.convert("RGB")),
    "turned": _image(lambda image: image.rotate(90, expand=True)),
}
_SOUNDS: Mapping[str, Change] = {
    "stereo": _sound(lambda samples, rate: (np.stack([samples, samples / 2], axis=1), rate)),
    "another rate": _sound(lambda samples, rate: (samples[::2], max(1, rate // 2))),
    "a rate of its own": _sound(lambda samples, rate: (samples, rate + 37)),
    "as FLAC": _sound(lambda samples, rate: (samples, rate), "FLAC"),
    "as numbers with a point": _sound(lambda samples, rate: (samples, rate), "WAV", "FLOAT"),
    "silence": _sound(lambda samples, rate: (np.zeros_like(samples), rate)),
    "one sample": _sound(lambda samples, rate: (samples[:1], rate)),
    "three times": _sound(lambda samples, rate: (np.tile(samples, 3), rate)),
    "louder than it can be": _sound(lambda samples, rate: (samples * 20, rate)),
}
