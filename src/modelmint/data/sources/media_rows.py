"""Rows of images and recordings: the original bytes, after a look at whether they can be decoded."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from modelmint.data.sources.extras import need_library
from modelmint.data.sources.folder_rows import checked, files_of, shown
from modelmint.data.sources.folders import AUDIO, IMAGES
from modelmint.data.sources.parsing import Parser
from modelmint.data.sources.rows import Reading, Row, SourceFile


def image_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The images of a folder: ``image`` (bytes), ``label``, ``file``, ``width``, ``height``, ``format``.

    The label is the folder an image is in, or what its name (`file_pattern`) or the metadata file say. ``format`` is
    what the bytes are, whatever the name says. Bad ones are rows with a reason: ``not_an_image``, ``too_many_pixels``,
    ``truncated``, ``bad_image``, ``too_large``.

    Raises:
        InputError: the extra `media` is missing.
        DataError: see `folder_rows.files_of`.
    """
    need_library("PIL", extra="media", what="a folder of images")
    return checked(_rows(file, how, kind="image", suffixes=IMAGES), file, how)


def audio_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The recordings of a folder: ``audio`` (bytes), ``label``, ``file``, ``seconds``, ``rate``, ``channels``, ``format``.

    Labels as of `image_rows`. Reasons: ``not_audio``, ``truncated``, ``too_long``, ``empty_audio``, ``bad_audio``.

    Raises:
        InputError: the extra `media` is missing.
        DataError: see `folder_rows.files_of`.
    """
    need_library("soundfile", extra="media", what="a folder of recordings")
    return checked(_rows(file, how, kind="audio", suffixes=AUDIO), file, how)


def _rows(file: SourceFile, how: Reading, *, kind: str, suffixes: Collection[str]) -> Iterator[Row]:
    done_bytes = 0
    with Parser(how.bounds) as parser:
        for found in files_of(file, how, suffixes=suffixes):
            if found.path is None:
                yield found.fault(found.reason, found.detail, done_bytes)
                continue
            parsed = parser.parse(kind, found.path)
            if parsed.reason:
                yield found.fault(parsed.reason, parsed.detail, done_bytes)
                continue
            data = found.path.read_bytes()
            done_bytes += len(data)
            told: Mapping[str, Any] = {**found.cells, **parsed.facts}
            yield Row(found.number, {**told, kind: data, "file": shown(found.name)}, done_bytes=done_bytes)
