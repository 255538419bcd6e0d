"""Small files of many kinds, made by the tests themselves: PDF and PNG by hand, where a fault is wanted in them."""

import io
import struct
import zlib
from pathlib import Path

import docx
import numpy as np
import soundfile
from PIL import Image


def pdf(*pages: str, extra: bytes = b"") -> bytes:
    """A PDF with one line of text a page, in a font whose codes are UTF-16 (so that Chinese stands in it too)."""
    letters = sorted(set("".join(pages)))
    table = "\n".join(f"<{ord(letter):04x}> <{ord(letter):04x}>" for letter in letters)
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{len(letters)} beginbfchar\n{table}\nendbfchar\n"
        "endcmap end end"
    ).encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + extra + b">>",
        b"<</Type/Pages/Kids["
        + b" ".join(b"%d 0 R" % (6 + 2 * at) for at in range(len(pages)))
        + b"]/Count %d>>" % len(pages),
        b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[5 0 R]/ToUnicode 4 0 R>>",
        stream(to_unicode),
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
    ]
    for at, text in enumerate(pages):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>"
            % (7 + 2 * at)
        )
        shown = f"BT /F 12 Tf 50 700 Td <{text.encode('utf-16-be').hex()}> Tj ET" if text else ""
        objects.append(stream(shown.encode()))
    return assemble(objects)


def stream(data: bytes, *, filters: bytes = b"") -> bytes:
    """A PDF stream."""
    return b"<</Length %d%s>>\nstream\n" % (len(data), filters) + data + b"\nendstream"


def assemble(objects: list[bytes]) -> bytes:
    """A PDF of numbered objects; the first is its catalog."""
    written, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    at = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(written + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, at))


def word(path: Path, *paragraphs: str, table: tuple[tuple[str, ...], ...] = ()) -> None:
    """A Word document."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        made = document.add_table(len(table), len(table[0]))
        for row, cells in enumerate(table):
            for column, cell in enumerate(cells):
                made.cell(row, column).text = cell
    document.save(str(path))


def image(kind: str = "png", *, width: int = 8, height: int = 6, shade: int = 100) -> bytes:
    """A grey image."""
    written = io.BytesIO()
    Image.new("L", (width, height), shade).save(written, {"jpg": "JPEG"}.get(kind, kind.upper()))
    return written.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header says a size that its pixels do not have."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def sound(path: Path, *, seconds: float = 0.1, rate: int = 8000, channels: int = 1) -> None:
    """A tone, in the format of the suffix."""
    wave = np.sin(np.arange(int(seconds * rate)) / 10)
    soundfile.write(str(path), np.stack([wave] * channels, axis=1), rate)
