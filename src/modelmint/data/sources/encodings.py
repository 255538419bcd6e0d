"""Is a file text, and in which encoding? Only guesses for messages: the declared encoding is what is used."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from modelmint.core.errors import DataError
from modelmint.data.sources.national_encodings import national_encoding
from modelmint.data.sources.packed import unpacked_gzip

_SAMPLE_BYTES = 1 << 18
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3": "a SQLite database",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"7z\xbc\xaf": "a 7z archive",
    b"(\xb5/\xfd": "a Zstandard file",
}
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UNDECODED = re.compile("[\ud800-\udfff]")


def check_text(path: Path, *, gzipped: bool, encoding: str) -> None:
    """Look at a file's first bytes.

    Raises:
        DataError: empty, another kind of file, or plainly not in `encoding` (UTF-16 read as UTF-8).
    """
    sample = head(path, gzipped=gzipped)
    if not sample.strip(b"\xef\xbb\xbf\r\n\t "):
        raise DataError(
            f"source: {path.name} is empty", parameter="source", remedy="Give a file with a header line and rows."
        )
    kind = next((kind for magic, kind in _MAGIC.items() if sample.startswith(magic)), None)
    if kind:
        raise DataError(
            f"source: {path.name} is {kind}, not text",
            parameter="source",
            remedy="Export it as CSV (UTF-8), JSON lines or Parquet, and name it so (.csv, .jsonl, .parquet, .csv.gz).",
        )
    if is_wide(encoding):
        return
    if (wide := _utf16(sample)) is not None:
        raise _wrong(path, encoding, wide, 1)
    if len(sample) >= 512 and len(_BINARY.findall(sample)) * 20 > len(sample):
        raise DataError(
            f"source: {path.name} holds binary data, not text",
            parameter="source",
            remedy="Export it as CSV (UTF-8), JSON lines or Parquet.",
        )


@dataclass(kw_only=True)
class EncodingWatch:
    """Counts the lines of one file that could not be decoded, among those where it can be seen (beyond ASCII)."""

    path: Path
    gzipped: bool
    encoding: str
    num_foreign: int = 0
    num_undecoded: int = 0
    first_line: int = 0

    def see(self, lines: Sequence[str], number: int) -> None:
        """Look at the lines of one row, which begins at line `number`."""
        for line in lines:
            if not line.isascii():
                self.num_foreign += 1
                if undecoded(line):
                    self.num_undecoded += 1
                    self.first_line = self.first_line or number

    def check(self) -> None:
        """One broken row is a bad row; where more than half of them are broken, the encoding is wrong.

        Raises:
            DataError: the file is not in its declared encoding.
        """
        if self.num_undecoded * 2 > self.num_foreign:
            raise wrong_encoding(self.path, gzipped=self.gzipped, encoding=self.encoding, line=self.first_line)


def is_wide(encoding: str) -> bool:
    """Whether an encoding has units of 16 or 32 bits: where it is broken no later line can be read."""
    return "16" in encoding or "32" in encoding


def undecoded(text: str) -> bool:
    """Whether a text holds bytes that could not be decoded (or half of a surrogate pair)."""
    return not text.isascii() and _UNDECODED.search(text) is not None


def wrong_encoding(path: Path, *, gzipped: bool, encoding: str, line: int) -> DataError:
    """The error for a file that is not in `encoding`, naming the line and the likely encoding."""
    return _wrong(path, encoding, likely_encoding(head(path, gzipped=gzipped)), line)


def likely_encoding(sample: bytes) -> str | None:
    """utf-8, utf-16 (or -le, -be), or what `national_encoding` finds; None when none is plausible."""
    wide = _utf16(sample)
    if wide is not None or _decode(sample, "utf-8") is not None or _nearly_utf8(sample):
        return wide or "utf-8"
    return national_encoding(sample, whole=len(sample) < _SAMPLE_BYTES)


def _nearly_utf8(sample: bytes) -> bool:
    """Whether a few stray bytes spoil what is UTF-8: they go to quarantine, and the rest is read as it was written."""
    foreign = [letter for letter in sample.decode("utf-8", "surrogateescape") if letter > "\x7f"]
    stray = sum("\udc80" <= letter <= "\udcff" for letter in foreign)
    return len(foreign) - stray > 8 * stray


def head(path: Path, *, gzipped: bool) -> bytes:
    """The first bytes of the text in a file.

    Raises:
        DataError: not a gzip file though named so.
    """
    with path.open("rb") as raw:
        return BufferedReader(unpacked_gzip(raw, path.name)).read(_SAMPLE_BYTES) if gzipped else raw.read(_SAMPLE_BYTES)


def bad_gzip(path: Path, error: Exception) -> DataError:
    """The error for a .gz file that does not unpack."""
    return DataError(
        f"source: {path.name} is not a whole gzip file: {error}",
        parameter="source",
        remedy="Copy it again, or unpack it and give the plain file.",
    )


def _utf16(sample: bytes) -> str | None:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if odd * 10 > half * 3 and even * 20 < half:
        return "utf-16-le"
    return "utf-16-be" if even * 10 > half * 3 and odd * 20 < half else None


def _decode(sample: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, final=len(sample) < _SAMPLE_BYTES)
    except UnicodeDecodeError:
        return None


def _wrong(path: Path, encoding: str, likely: str | None, line: int) -> DataError:
    remedy = (
        f"It looks like {likely}: set `encoding: {likely}` in the collect stage."
        if likely and likely != encoding
        else ("Set `encoding` of the collect stage to the one it was written in, or save it as UTF-8.")
    )
    return DataError(
        f"encoding: {path.name} is not {encoding} (line {line} cannot be decoded)", parameter="encoding", remedy=remedy
    )
