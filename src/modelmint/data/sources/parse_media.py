"""Whether an image or a recording can be decoded. These functions run in `data.parse_process`, and may be killed there."""

import struct
from collections.abc import Iterator
from pathlib import Path

from modelmint.core.types import JSON
from modelmint.data.sources.parsing import Bounds
from modelmint.data.sources.unreadable import UnreadableError

IMAGE_FORMATS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}
AUDIO_FORMATS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
_BLOCK_SAMPLES = 1 << 20
_MAX_CHANNELS = 64
_MAX_RATE = 768_000
_STREAMED = {0, 0xFFFFFFFF, 0x7FFFFFFF}  # what writers put where they cannot know the size


def image(path: Path, bounds: Bounds) -> Iterator[str | JSON]:
    """``width``, ``height`` and the ``format`` that the bytes have, whatever the name says.

    The size is read from the header and checked before a pixel is decoded; of an animation the first image is.

    Raises:
        UnreadableError: ``not_an_image``, ``too_many_pixels``, ``truncated``.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # ours is checked below, and is an error where Pillow's is first a warning
    try:
        opened = Image.open(path, formats=tuple(IMAGE_FORMATS))
    except (UnidentifiedImageError, SyntaxError, ValueError, struct.error) as error:
        with path.open("rb") as stream:
            start = stream.read(12)
        said = "it is empty" if not start else f"it is none of {', '.join(sorted(set(IMAGE_FORMATS.values())))}"
        raise UnreadableError("not_an_image", f"{said} (it begins with {start!r})") from error
    with opened:
        width, height = opened.size
        if width * height > bounds.max_pixels:
            raise UnreadableError(
                "too_many_pixels", f"{width:,} x {height:,} pixels; max_pixels takes {bounds.max_pixels:,}"
            )
        try:
            opened.load()
        except (OSError, SyntaxError, EOFError, ValueError, IndexError, struct.error) as error:
            reason = "truncated" if "truncated" in str(error) or "incomplete" in str(error) else "bad_image"
            raise UnreadableError(reason, f"its {width} x {height} pixels cannot be decoded: {error}"[:300]) from error
        yield {"width": width, "height": height, "format": IMAGE_FORMATS.get(str(opened.format), "jpg")}


def audio(path: Path, bounds: Bounds) -> Iterator[str | JSON]:
    """``seconds``, ``rate`` (Hz), ``channels`` and ``format``; every sample is decoded, in blocks.

    Raises:
        UnreadableError: ``not_audio``, ``too_long``, ``too_many_channels``, ``empty_audio``, ``truncated``.
    """
    import soundfile

    try:
        opened = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UnreadableError("not_audio", f"it is no recording that can be read: {error}"[:300]) from error
    with opened:
        rate, channels = int(opened.samplerate), int(opened.channels)
        if opened.format not in AUDIO_FORMATS:
            raise UnreadableError("not_audio", f"it is {opened.format}; wav, flac, ogg and mp3 are read")
        if not 1 <= channels <= _MAX_CHANNELS or not 1 <= rate <= _MAX_RATE:
            raise UnreadableError("bad_audio", f"it declares {channels:,} channels at {rate:,} Hz")
        most = int(bounds.max_audio_s * rate)
        frames = 0
        while (read := len(opened.read(max(_BLOCK_SAMPLES // channels, 1), dtype="int16", always_2d=True))) > 0:
            frames += read
            if frames > most:
                raise UnreadableError("too_long", f"more than {bounds.max_audio_s:g} s; max_audio_s takes no more")
        if frames == 0:
            raise UnreadableError("empty_audio", "it holds no sample")
        if (lacking := _lacking_bytes(path)) or frames < min(int(opened.frames), most):
            raise UnreadableError("truncated", f"it ends before its declared length ({lacking:,} bytes are missing)")
        yield {
            "seconds": round(frames / rate, 6),
            "rate": rate,
            "channels": channels,
            "format": AUDIO_FORMATS[opened.format],
        }


def _lacking_bytes(path: Path) -> int:
    """How much shorter a WAV file is than its header says (libsndfile reads what is there without a word)."""
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(12)
        if len(head) < 12 or head[:4] != b"RIFF":
            return 0
        declared = int.from_bytes(head[4:8], "little")
        if declared in _STREAMED:
            return 0
        while len(chunk := stream.read(8)) == 8:  # the data chunk's own size counts; the outer one is often off
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return 0 if length in _STREAMED else max(0, stream.tell() + length - size_bytes)
            stream.seek(length + length % 2, 1)
            if stream.tell() > size_bytes:
                break
    return 0
