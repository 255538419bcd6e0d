"""Files made to exhaust, mislead or kill whoever reads them; each with what must become of it.

A bomb writes itself into an empty folder and gives the path to read, or the path and what the spec says besides.
"""

import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from .files_made import assemble, pdf, stream

MB = 1 << 20
CSV = "text,label\nhello,a\nbye,b\n"
JSONL = '{"text": "hello", "label": "a"}\n{"text": "bye", "label": "b"}\n'
GOOD = {"text": ["hello", "bye"], "label": ["a", "b"]}

Made = Path | tuple[Path, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Bomb:
    """One bomb. Either it is refused, with `said` in the message, or its rows go to quarantine and the good ones stay."""

    name: str
    make: Callable[[Path], Made]
    said: str = ""
    reasons: dict[str, int] = field(default_factory=dict)
    num_rows: int = 2
    slow: bool = False


BOMBS: list[Bomb] = []


def refused(said: str, *, slow: bool = False) -> Callable[[Callable[[Path], Made]], Callable[[Path], Made]]:
    """Register a bomb that is refused with a message that matches."""

    def register(make: Callable[[Path], Made]) -> Callable[[Path], Made]:
        BOMBS.append(Bomb(name=make.__name__, make=make, said=said, slow=slow))
        return make

    return register


def quarantined(
    num_rows: int = 2, *, slow: bool = False, **reasons: int
) -> Callable[[Callable[[Path], Made]], Callable[[Path], Made]]:
    """Register a bomb of which `num_rows` stay and the others are quarantined for these reasons."""

    def register(make: Callable[[Path], Made]) -> Callable[[Path], Made]:
        BOMBS.append(Bomb(name=make.__name__, make=make, reasons=reasons, num_rows=num_rows, slow=slow))
        return make

    return register


def _write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _squeezed(folder: Path, name: str, first: bytes, filler: bytes, num_bytes: int, last: bytes = b"") -> Path:
    """A gzip file of `first`, then `filler` again and again, then `last`, made without holding it."""
    with gzip.open(folder / name, "wb", compresslevel=6) as sink:
        sink.write(first)
        block = filler * max(MB // len(filler), 1)
        for _ in range(num_bytes // len(block)):
            sink.write(block)
        sink.write(last)
    return folder / name


# --- packed ---


@refused("a bomb")
def gzip_of_one_endless_cell(folder: Path) -> Made:
    return _squeezed(folder, "a.csv.gz", CSV.encode(), b"x", 100 * MB)


@refused("a bomb")
def gzip_of_rows_all_alike(folder: Path) -> Made:
    return _squeezed(folder, "a.csv.gz", CSV.encode(), b"hello,a\n", 100 * MB)


@refused("a bomb")
def gzip_of_blank_lines(folder: Path) -> Made:
    return _squeezed(folder, "a.csv.gz", CSV.encode(), b"\n", 100 * MB)


@refused("a bomb")
def gzip_of_json_lines(folder: Path) -> Made:
    return _squeezed(folder, "a.jsonl.gz", JSONL.encode(), b'{"text": "x", "label": "a"}\n', 100 * MB)


@refused("a bomb|longer than")
def gzip_of_one_json_document(folder: Path) -> Made:
    return _squeezed(folder, "a.json.gz", b'[{"text": "', b"x", 100 * MB)


@refused("a bomb|is empty")
def gzip_of_spaces(folder: Path) -> Made:
    return _squeezed(folder, "a.txt.gz", b"", b" ", 100 * MB)


@refused("a gzip file")
def gzip_in_gzip(folder: Path) -> Made:
    return _write(folder / "a.csv.gz", gzip.compress(gzip.compress(bytes(10 * MB))))


@refused("a bomb")
def zip_of_zeros(folder: Path) -> Made:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", bytes(70 * MB))
    return folder / "a.zip"


@refused("a bomb")
def xz_of_zeros(folder: Path) -> Made:
    return _write(folder / "a.csv.xz", lzma.compress(bytes(70 * MB), preset=0))


@refused("a bomb")
def zstd_of_zeros(folder: Path) -> Made:
    return _write(folder / "a.csv.zst", pa.compress(bytes(100 * MB), codec="zstd", asbytes=True))


@refused("a symbolic link")
def tar_with_a_link_to_a_secret(folder: Path) -> Made:
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("train.csv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return folder / "a.tar.gz"


# --- CSV ---


def _endless(folder: Path, num_bytes: int) -> Path:
    with (folder / "a.csv").open("wb") as sink:
        sink.write(CSV.encode())
        for _ in range(num_bytes // MB):
            sink.write(b"x" * MB)
        sink.write(b",a\n")
    return folder / "a.csv"


@quarantined(too_long=1)
def csv_cell_of_100_mb(folder: Path) -> Made:
    return _endless(folder, 100 * MB)


@quarantined(too_long=1, slow=True)
def csv_cell_of_1_gb(folder: Path) -> Made:
    return _endless(folder, 1024 * MB)


@refused("columns|header|longer")
def csv_header_of_a_million_columns(folder: Path) -> Made:
    return _write(folder / "a.csv", "text,label," + ",".join(f"c{n}" for n in range(1_000_000)) + "\nhello,a\n")


@quarantined(bad_width=1)
def csv_row_of_a_million_columns(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV + "x," * 1_000_000 + "\n")


@refused("columns|header|longer|missing")
def csv_header_of_100_mb(folder: Path) -> Made:
    return _write(folder / "a.csv", b"text,label" + b"x" * 100 * MB + b"\nhello,a\n")


@quarantined(bad_quote=1, num_rows=50_002)
def csv_quote_that_is_never_closed(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV + '"open,a\n' + "next one,b\n" * 50_000)


@quarantined(too_long=1)
def csv_cell_of_a_million_doubled_quotes(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV + '"' + '""' * 1_000_000 + '",a\n')


@quarantined(too_long=1)
def csv_cell_of_a_million_lines(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV + '"' + "\n" * 1_000_000 + '",a\n')


@refused("more than 10,000 values")
def csv_of_a_million_labels(folder: Path) -> Made:
    return _write(folder / "a.csv", "text,label\n" + "".join(f"x,l{n}\n" for n in range(1_000_000)))


@quarantined(nul_byte=2)
def csv_with_nuls(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV + "he\0llo,a\nbye,\0b\n")


@refused("is not utf-8")
def csv_of_utf_16(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV.encode("utf-16"))


@refused("is not utf-8")
def csv_of_utf_16_without_a_mark(folder: Path) -> Made:
    return _write(folder / "a.csv", (CSV * 50).encode("utf-16-be"))


@quarantined(num_rows=4, undecodable=1)
def csv_of_mixed_encodings(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV.encode() + "你好,a\nça va,b\n".encode() + "中文,a\n".encode("gb18030"))


@quarantined(num_rows=3)
def csv_in_utf_7_is_read_as_it_stands(folder: Path) -> Made:
    """UTF-7 smuggles signs past whoever does not expect it (+ADw- for <): only what is declared is decoded."""
    return _write(folder / "a.csv", CSV + "+ADw-script+AD4-,a\n")


@quarantined()
def csv_declared_as_utf_7(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV), {"encoding": "utf-7"}


@refused("cannot be decoded|is not utf-16")
def csv_of_half_a_surrogate_pair(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV.encode("utf-16-le") + b"\x00\xd8,\x00a\x00\n\x00"), {"encoding": "utf-16-le"}


@quarantined(num_rows=3, undecodable=1)
def csv_of_surrogates_in_utf_8(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV.encode() + "grün,a\n".encode() + b"\xed\xa0\x80,a\n")


@quarantined(num_rows=3, undecodable=1)
def csv_of_overlong_utf_8(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV.encode() + "ä,a\n".encode() + b"\xc0\xafetc,a\n")


@refused("is empty")
def csv_of_byte_order_marks(folder: Path) -> Made:
    return _write(folder / "a.csv", "\ufeff" * 100_000)


@quarantined(num_rows=2, bad_width=20_000)
def csv_of_20000_broken_rows(folder: Path) -> Made:
    return _write(folder / "a.csv", CSV + "a,b,c\n" * 20_000)


@refused("binary|NUL|not utf-8|header")
def csv_of_noise(folder: Path) -> Made:
    return _write(folder / "a.csv", random.Random(17).randbytes(5 * MB))


# --- JSON ---


@quarantined(bad_json=1)
def json_line_100000_deep(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + '{"text": ' + "[" * 100_000 + "]" * 100_000 + ', "label": "a"}\n')


@quarantined(bad_json=1)
def json_line_100000_objects_deep(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + '{"text":' * 100_000 + "1" + "}" * 100_000 + "\n")


@refused("deeper than can be read")
def json_document_100000_deep(folder: Path) -> Made:
    return _write(folder / "a.json", '[{"text": "a", "label": "b"}, ' + "[" * 100_000 + "]" * 100_000 + "]")


@quarantined(bad_json=1)
def json_number_of_a_million_digits(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + '{"text": "x", "label": "a", "n": ' + "9" * 1_000_000 + "}\n")


@refused("not JSON|digits")
def json_document_with_a_number_of_a_million_digits(folder: Path) -> Made:
    return _write(folder / "a.json", '[{"text": "x", "label": "a", "n": ' + "9" * 1_000_000 + "}]")


@quarantined(bad_type=3)
def json_values_that_are_no_numbers(folder: Path) -> Made:
    lines = [f'{{"text": {value}, "label": "a"}}\n' for value in ("NaN", "Infinity", "1e999999999")]
    return _write(folder / "a.jsonl", JSONL + "".join(lines))


@quarantined(bad_json=1)
def json_keys_that_stand_twice(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + '{"text": "safe", "label": "a", "text": "evil"}\n')


@quarantined(bad_json=1)
def json_object_of_a_million_keys(folder: Path) -> Made:
    keys = ", ".join(f'"k{n}": 1' for n in range(1_000_000))
    return _write(folder / "a.jsonl", JSONL + '{"text": "x", "label": "a", ' + keys + "}\n")


@quarantined(bad_json=1)
def json_line_of_5_million_empty_lists(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + '{"text": "x", "label": "a", "n": [' + "[]," * 5_000_000 + "[]]}\n")


@refused("too many values")
def json_document_of_5_million_empty_lists(folder: Path) -> Made:
    return _write(folder / "a.json", '[{"text": "x", "label": "a", "n": [' + "[]," * 5_000_000 + "[]]}]")


@quarantined(num_rows=302, bad_json=1)
def json_keys_that_stand_twice_in_a_later_row(folder: Path) -> Made:
    row = '{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]}\n'
    twice = row.replace('"role": "user"', '"role": "user", "role": "system"')
    return _write(folder / "a.jsonl", row * 300 + twice + row * 2)


@quarantined(bad_json=1)
def json_document_with_keys_that_stand_twice(folder: Path) -> Made:
    rows = '{"text": "hello", "label": "a"}, {"text": "bye", "label": "b"}'
    return _write(folder / "a.json", f'[{rows}, {{"text": "safe", "text": "evil", "label": "a"}}]')


@quarantined(undecodable=2)
def json_halves_of_surrogate_pairs(folder: Path) -> Made:
    return _write(
        folder / "a.jsonl",
        JSONL + r'{"text": "a\ud800", "label": "a"}' + "\n" + r'{"text": "b", "label": "\udc00"}' + "\n",
    )


@quarantined(nul_byte=1)
def json_escaped_nul(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + r'{"text": "a\u0000b", "label": "a"}' + "\n")


@quarantined(too_long=1)
def json_line_of_100_mb(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL.encode() + b'{"text": "' + b"x" * 100 * MB + b'", "label": "a"}\n')


@refused("longer than")
def json_document_with_an_element_of_100_mb(folder: Path) -> Made:
    return _write(folder / "a.json", b'[{"text": "' + b"x" * 100 * MB + b'", "label": "a"}]')


@refused("in the middle|not JSON")
def json_document_without_an_end(folder: Path) -> Made:
    return _write(folder / "a.json", "[" + '{"text": "x", "label": "a"},' * 20_000)


@quarantined(bad_json=20_000)
def json_lines_of_brackets(folder: Path) -> Made:
    return _write(folder / "a.jsonl", JSONL + "[]\n" * 20_000)


@refused("keys|columns|missing")
def json_of_ever_new_keys(folder: Path) -> Made:
    return _write(folder / "a.jsonl", "".join(f'{{"k{n}": "x", "l{n}": "y"}}\n' for n in range(200_000)))


# --- other text ---


@refused("usable|empty|too_long|longer")
def text_of_one_line_of_100_mb(folder: Path) -> Made:
    return _write(folder / "a.txt", b"x" * 100 * MB), {"task": "text-generation"}


@quarantined(too_long=1)
def conll_of_a_sentence_of_300000_words(folder: Path) -> Made:
    good = "hello O\nLondon B-LOC\n\nbye O\nParis B-LOC\n\n"
    return _write(folder / "a.conll", good + "word O\n" * 300_000 + "\n"), {"task": "token-classification"}


@refused("declares 4,294,967,295 images")
def idx_that_declares_4_billion_images(folder: Path) -> Made:
    place = folder / "idx"
    place.mkdir()
    _write(place / "train-images-idx3-ubyte", struct.pack(">IIII", 2051, 0xFFFFFFFF, 28, 28) + bytes(784))
    _write(place / "train-labels-idx1-ubyte", struct.pack(">II", 2049, 0xFFFFFFFF) + bytes(1))
    return place


@quarantined(bad_json=1)
def json_chat_of_150000_messages(folder: Path) -> Made:
    row = '{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]}\n'
    message = '{"role": "user", "content": "x"}, '
    return _write(folder / "a.jsonl", row * 2 + '{"messages": [' + message * 150_000 + message[:-2] + "]}\n")


# --- Parquet ---


def _parquet(folder: Path, table: pa.Table, **options: Any) -> Path:
    pq.write_table(table, folder / "a.parquet", **options)
    return folder / "a.parquet"


def _with_footer(path: Path, change: Callable[[bytes], bytes]) -> Path:
    content = path.read_bytes()
    size = int.from_bytes(content[-8:-4], "little")
    footer = change(content[-8 - size : -8])
    return _write(path, content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _varint(number: int) -> bytes:
    """A number as Thrift's compact protocol writes it (zigzag)."""
    number, parts = number * 2, []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _honest(folder: Path) -> Path:
    rows = 123_457
    labels = [("a", "b")[number % 2] for number in range(rows)]
    table = pa.table({"text": [f"hello {number}" for number in range(rows)], "label": labels})
    return _parquet(folder, table, compression="none", use_dictionary=False)


@refused("its footer is wrong|not a readable")
def parquet_that_declares_5_billion_rows(folder: Path) -> Made:
    return _with_footer(_honest(folder), lambda footer: footer.replace(_varint(123_457), _varint(5_000_000_000)))


@refused("rows in")
def parquet_of_20_million_equal_rows(folder: Path) -> Made:
    """Honest: run lengths make any number of rows of a few bytes."""
    table = pa.table(
        {
            name: pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 20_000_000), [name])
            for name in ("text", "label")
        }
    )
    return _parquet(folder, table, compression="zstd")


@refused("not a readable Parquet file")
def parquet_with_a_footer_longer_than_the_file(folder: Path) -> Made:
    content = _honest(folder).read_bytes()
    return _write(folder / "a.parquet", content[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


@refused("footer")
def parquet_with_a_footer_of_100_mb(folder: Path) -> Made:
    return _write(folder / "a.parquet", b"PAR1" + bytes(100 * MB) + struct.pack("<I", 100 * MB) + b"PAR1")


@refused("not a readable Parquet file")
def parquet_whose_footer_declares_a_list_of_2_billion(folder: Path) -> Made:
    return _with_footer(_honest(folder), lambda _: b"\x15\x02\x19\xfc" + b"\xff\xff\xff\xff\x07" + bytes(100))


@refused("a page of")
def parquet_of_one_honest_cell_of_100_mb(folder: Path) -> Made:
    return _parquet(folder, pa.table({"text": ["x" * (100 * MB), "bye"], "label": ["a", "b"]}), compression="zstd")


@refused("a page of|not a readable|a column at")
def parquet_whose_page_declares_2_gb(folder: Path) -> Made:
    path = _honest(folder)
    content = path.read_bytes()
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    kind, rest = content[start + 2 : start + 3], content[start + 3 :]
    end = next(at for at in range(9) if rest[at] < 0x80) + 1
    return _write(path, content[: start + 2] + kind + _varint(2_000_000_000)[:end].ljust(end, b"\x07") + rest[end:])


@refused("a column at|not a readable")
def parquet_whose_column_lies_past_the_end(folder: Path) -> Made:
    path = _honest(folder)
    place = pq.ParquetFile(path).metadata.row_group(0).column(1).data_page_offset
    return _with_footer(path, lambda footer: footer.replace(_varint(place), _varint(1 << 40)))


@refused("a page of")
def parquet_of_one_list_of_20_million(folder: Path) -> Made:
    lists = pa.ListArray.from_arrays([0, 20_000_000, 20_000_000], pa.repeat(pa.scalar(7, pa.int8()), 20_000_000))
    table = pa.table({"text": ["a", "b"], "label": ["a", "b"], "more": lists})
    return _parquet(folder, table, compression="zstd", use_dictionary=False, data_page_size=1 << 30), {"keep": ["more"]}


@quarantined(too_long=20_000)
def parquet_of_one_huge_cell_20000_times(folder: Path) -> Made:
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0] * 20_000 + [1, 2], pa.int32()), ["x" * 5_000_000, "hello", "bye"]
    )
    return _parquet(folder, pa.table({"text": texts, "label": ["a", "b"] * 10_001}))


@quarantined(too_long=5_000)
def parquet_of_one_huge_cell_in_lists(folder: Path) -> Made:
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000 + [1, 1], pa.int32()), ["x" * 5_000_000, "m"])
    lists = pa.ListArray.from_arrays(list(range(5_003)), cells)
    table = pa.table({"text": ["hello", "bye"] * 2_501, "label": ["a", "b"] * 2_501, "more": lists})
    return _parquet(folder, table), {"keep": ["more"]}


@refused("columns")
def parquet_of_15000_columns(folder: Path) -> Made:
    return _parquet(folder, pa.table(GOOD | {f"c{n}": [1, 2] for n in range(15_000)}), write_statistics=False)


@refused("nested|not a readable|deep")
def parquet_500_lists_deep(folder: Path) -> Made:
    kind: Any = pa.string()
    for _ in range(500):
        kind = pa.list_(kind)
    table = pa.table({"text": ["a", "b"], "label": ["a", "b"], "more": pa.array([None, None], kind)})
    return _parquet(folder, table), {"keep": ["more"]}


@refused("not a readable Parquet file")
def parquet_of_noise(folder: Path) -> Made:
    noise = random.Random(18).randbytes(MB)
    return _write(folder / "a.parquet", b"PAR1" + noise + struct.pack("<I", MB // 2) + b"PAR1")


@quarantined(undecodable=1)
def parquet_with_bytes_that_are_no_text(folder: Path) -> Made:
    bad = pa.array([b"hello", b"bye", b"\xff\xfe"]).cast(pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, bad.buffers())
    return _parquet(folder, pa.table({"text": texts, "label": ["a", "b", "a"]}))


# --- Arrow ---


def _arrow(folder: Path, **options: Any) -> Path:
    table = pa.table({"text": ["hello", "bye"] * 500, "label": ["a", "b"] * 500})
    with ipc.new_file(folder / "a.arrow", table.schema, options=ipc.IpcWriteOptions(**options)) as sink:
        sink.write_table(table)
    return folder / "a.arrow"


@refused("not a readable Arrow file")
def arrow_cut_in_the_middle(folder: Path) -> Made:
    path = _arrow(folder)
    return _write(path, path.read_bytes()[:3000])


@refused("not a readable Arrow file|rows|declares")
def arrow_that_declares_a_trillion_rows(folder: Path) -> Made:
    path = _arrow(folder)
    return _write(path, path.read_bytes().replace(struct.pack("<q", 1000), struct.pack("<q", 1 << 40)))


@refused("not a readable Arrow file|declares")
def arrow_whose_packed_buffers_declare_a_terabyte(folder: Path) -> Made:
    path = _arrow(folder, compression="zstd")
    content = path.read_bytes()
    for size in (4 * 1001, 500 * 5 + 500 * 3, 1000):
        content = content.replace(
            struct.pack("<q", size) + b"\x28\xb5\x2f\xfd", struct.pack("<q", 1 << 40) + b"\x28\xb5\x2f\xfd"
        )
    return _write(path, content)


@refused("bytes; |declares|not a readable Arrow file")
def arrow_of_200_packed_mb(folder: Path) -> Made:
    table = pa.table({"text": ["x" * (200 * MB), "bye"], "label": ["a", "b"]})
    with ipc.new_file(folder / "a.arrow", table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as sink:
        sink.write_table(table)
    return folder / "a.arrow"


@refused("not a readable Arrow file")
def arrow_whose_offsets_lead_outside(folder: Path) -> Made:
    path = _arrow(folder)
    return _write(path, path.read_bytes().replace(struct.pack("<iii", 0, 5, 8), struct.pack("<iii", 0, 1 << 30, 8)))


@refused("not a readable Arrow file")
def arrow_whose_metadata_declares_2_gb(folder: Path) -> Made:
    return _write(folder / "a.arrow", b"\xff\xff\xff\xff" + struct.pack("<i", 0x7FFFFFF0) + bytes(1000))


@refused("not a readable Arrow file")
def arrow_of_noise(folder: Path) -> Made:
    return _write(folder / "a.arrow", b"ARROW1\0\0" + random.Random(19).randbytes(MB) + b"ARROW1")


# --- images ---


def _images(folder: Path, name: str, content: bytes) -> Path:
    from PIL import Image

    for label in ("a", "b"):
        place = folder / "images" / label
        place.mkdir(parents=True)
        Image.new("RGB", (8, 8), (255, 0, 0)).save(place / "good.png")
    _write(folder / "images" / "a" / name, content)
    return folder / "images"


def png(width: int, height: int, *, pixels: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG that says it is so large, whatever its pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@quarantined(too_many_pixels=1)
def png_of_a_billion_pixels(folder: Path) -> Made:
    return _images(folder, "bomb.png", png(40_000, 40_000, pixels=zlib.compress(bytes(40 * MB))))


@quarantined(too_many_pixels=1)
def png_of_4_billion_columns(folder: Path) -> Made:
    return _images(folder, "bomb.png", png(0x7FFFFFFF, 1))


@quarantined(too_many_pixels=1)
def jpeg_of_4_billion_pixels(folder: Path) -> Made:
    from PIL import Image

    raw = io.BytesIO()
    Image.new("RGB", (64, 64)).save(raw, "JPEG")
    content = raw.getvalue()
    place = content.index(b"\xff\xc0") + 5
    return _images(folder, "bomb.jpg", content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])


@quarantined(too_many_pixels=1)
def gif_of_4_billion_pixels(folder: Path) -> Made:
    from PIL import Image

    raw = io.BytesIO()
    Image.new("P", (64, 64)).save(raw, "GIF")
    content = raw.getvalue()
    return _images(folder, "bomb.gif", content[:6] + b"\xff\xff\xff\xff" + content[10:])


@quarantined(bad_image=1)
def webp_of_268_million_pixels(folder: Path) -> Made:
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xfe\x3f\0" + b"\xfe\x3f\0"
    body += b"VP8L" + struct.pack("<I", 6) + b"\x2f\xfe\xff\xff\x0f\x00"
    return _images(folder, "bomb.webp", b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


@quarantined(too_many_pixels=1)
def bmp_of_a_billion_pixels(folder: Path) -> Made:
    head = b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54)
    head += struct.pack("<IiiHHIIiiII", 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0)
    return _images(folder, "bomb.bmp", head + bytes(1000))


@quarantined(not_an_image=1)
def png_of_packed_text(folder: Path) -> Made:
    """A text chunk of 80 kB that unpacks to 80 MB."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 * MB), 9))
    return _images(folder, "bomb.png", png(8, 8, pixels=zlib.compress(bytes(8 * 25)), extra=text))


@quarantined(truncated=1)
def png_whose_pixels_end_early(folder: Path) -> Made:
    return _images(folder, "bomb.png", png(1000, 1000, pixels=zlib.compress(bytes(10))))


@quarantined(not_an_image=1)
def image_that_is_none(folder: Path) -> Made:
    return _images(folder, "bomb.png", b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"<g>" * 100_000)


# --- documents ---


def _documents(folder: Path, name: str, content: bytes) -> tuple[Path, dict[str, Any]]:
    place = folder / "documents"
    place.mkdir()
    for number in range(2):
        _write(place / f"good{number}{Path(name).suffix}", _good_document(Path(name).suffix))
    _write(place / name, content)
    return place, {"task": "text-generation"}


def _good_document(suffix: str) -> bytes:
    if suffix == ".pdf":
        return pdf("hello there")
    if suffix == ".docx":
        return word("<w:p><w:r><w:t>hello there</w:t></w:r></w:p>")
    return b"<html><body><p>hello there, this is a page with a sentence in it.</p></body></html>"


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
)
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _relations(*targets: tuple[str, str]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{at}" Type="{_RELATION}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets, 1)
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>'
    )


def word(body: str, *, before: str = "") -> bytes:
    """A Word document of that XML."""
    raw = io.BytesIO()
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml", _TYPES + f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>'
        )
        archive.writestr("_rels/.rels", _relations(("officeDocument", "word/document.xml")))
        archive.writestr(
            "word/document.xml", f'{before}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
        )
    return raw.getvalue()


def sheet(rows: str, *, shared: str = "", before: str = "") -> bytes:
    """A workbook of one sheet of that XML, with its table of shared texts."""
    main, raw = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", io.BytesIO()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="{kind}.{what}+xml"/>'
        for name, what in (
            ("workbook", "sheet.main"),
            ("worksheets/sheet1", "worksheet"),
            ("sharedStrings", "sharedStrings"),
        )
    )
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f"{_TYPES}{overrides}</Types>")
        archive.writestr("_rels/.rels", _relations(("officeDocument", "xl/workbook.xml")))
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            _relations(("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml")),
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{_RELATION}"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        archive.writestr("xl/worksheets/sheet1.xml", f'{before}<worksheet xmlns="{main}">{rows}</worksheet>')
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{shared}</sst>')
    return raw.getvalue()


def _cells(row: int, *texts: str) -> str:
    cells = "".join(f'<c r="{"AB"[at]}{row}" t="inlineStr"><is><t>{text}</t></is></c>' for at, text in enumerate(texts))
    return f'<row r="{row}">{cells}</row>'


_ROWS = _cells(1, "text", "label") + _cells(2, "hello", "a") + _cells(3, "bye", "b")
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@refused("xml|document type|cannot be read|not.*read")
def workbook_with_an_entity_bomb(folder: Path) -> Made:
    return _write(folder / "a.xlsx", sheet(f"<sheetData>{_cells(1, '&a11;')}</sheetData>", before=LAUGHS))


@refused("xml|document type|cannot be read|not.*read")
def workbook_with_an_entity_from_outside(folder: Path) -> Made:
    return _write(folder / "a.xlsx", sheet(f"<sheetData>{_cells(1, '&a;')}</sheetData>", before=OUTSIDE))


@refused("a bomb|shared texts|container")
def workbook_of_80_mb_of_shared_texts(folder: Path) -> Made:
    return _write(
        folder / "a.xlsx", sheet(f"<sheetData>{_ROWS}</sheetData>", shared=f"<si><t>{'x' * 80 * MB}</t></si>")
    )


@quarantined()
def workbook_that_declares_billions_of_cells(folder: Path) -> Made:
    rows = f'<dimension ref="A1:XFD1048576"/><sheetData>{_ROWS}</sheetData>'
    return _write(folder / "a.xlsx", sheet(rows))


@refused("row|not.*read|cannot be read")
def workbook_with_a_row_numbered_4_billion(folder: Path) -> Made:
    return _write(folder / "a.xlsx", sheet(f"<sheetData>{_ROWS}{_cells(4_294_967_295, 'x', 'a')}</sheetData>"))


@refused("column|not.*read|cannot be read|cell")
def workbook_with_a_column_past_the_last(folder: Path) -> Made:
    rows = _ROWS + '<row r="4"><c r="ZZZZZZ4" t="inlineStr"><is><t>x</t></is></c></row>'
    return _write(folder / "a.xlsx", sheet(f"<sheetData>{rows}</sheetData>"))


@refused("a bomb|container")
def workbook_that_is_a_bomb(folder: Path) -> Made:
    return _write(folder / "a.xlsx", sheet(f"<sheetData>{_ROWS}</sheetData>" + " " * 80 * MB))


@quarantined(bad_xml=1)
def word_with_an_entity_bomb(folder: Path) -> Made:
    return _documents(folder, "bomb.docx", word("<w:p><w:r><w:t>&a11;</w:t></w:r></w:p>", before=LAUGHS))


@quarantined(bad_container=1)
def word_that_is_a_bomb(folder: Path) -> Made:
    return _documents(folder, "bomb.docx", word(" " * 80 * MB))


@quarantined(bad_docx=1)
def word_100000_tables_deep(folder: Path) -> Made:
    return _documents(folder, "bomb.docx", word("<w:tbl>" * 100_000 + "</w:tbl>" * 100_000))


@quarantined(bad_html=1)
def page_100000_boxes_deep(folder: Path) -> Made:
    return _documents(folder, "bomb.html", b"<html><body>" + b"<div>" * 100_000 + b"hello there, a sentence is here.")


@quarantined(num_rows=3)
def page_with_an_entity_bomb_is_not_expanded(folder: Path) -> Made:
    return _documents(folder, "bomb.html", LAUGHS.encode() + b"<html><body>&a11;</body></html>")


@quarantined(bad_html=1)
def page_of_300000_attributes(folder: Path) -> Made:
    return _documents(folder, "bomb.html", b"<p " + b" ".join(b"a%d=1" % n for n in range(300_000)) + b"></p>")


def _packed_page(num_bytes: int) -> bytes:
    squeezed = zlib.compress(b"BT (x) Tj ET " * (num_bytes // 13), 9)
    return assemble([
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        stream(squeezed, filters=b"/Filter/FlateDecode"),
    ])  # fmt: skip


@quarantined(no_text=1)
def pdf_of_80_packed_mb(folder: Path) -> Made:
    return _documents(folder, "bomb.pdf", _packed_page(80 * MB))


@quarantined(no_text=1)
def pdf_packed_three_times(folder: Path) -> Made:
    squeezed = b"BT (x) Tj ET " * 3_000_000
    for _ in range(3):
        squeezed = zlib.compress(squeezed, 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>"
    filters = b"/Filter[/FlateDecode/FlateDecode/FlateDecode]"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page,
        stream(squeezed, filters=filters),
    ]
    return _documents(folder, "bomb.pdf", assemble(objects))


@quarantined(bad_pdf=1)
def pdf_whose_pages_go_in_a_circle(folder: Path) -> Made:
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>>"]
    return _documents(folder, "bomb.pdf", assemble(objects))


@quarantined(bad_pdf=1)
def pdf_that_declares_10_million_pages(folder: Path) -> Made:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"
    kids = b"3 0 R " * 1_000_000
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[" + kids + b"]/Count 10000000>>", page]
    return _documents(folder, "bomb.pdf", assemble(objects))


@quarantined(bad_pdf=1)
def pdf_100000_arrays_deep(folder: Path) -> Made:
    return _documents(
        folder, "bomb.pdf", assemble([b"<</Type/Catalog/Pages " + b"[" * 100_000 + b"]" * 100_000 + b">>"])
    )


@quarantined(num_rows=3)
def pdf_whose_tables_go_in_a_circle(folder: Path) -> Made:
    content = pdf("hello")
    at = content.rindex(b"startxref")
    place = int(content[at:].split()[1])
    return _documents(folder, "bomb.pdf", content.replace(b"/Root 1 0 R", b"/Root 1 0 R/Prev %d" % place))


def recipe_bombs() -> dict[str, str]:
    """Recipes that must be refused; not one may be read as something else."""
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    laughs += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    return {
        "laughs": laughs,
        "lists_deep": "[" * 100_000,
        "objects_deep": "{a: " * 50_000,
        "indents_deep": "\n".join(" " * depth + "a:" for depth in range(1_000)),
        "itself_inside": "a: &a [*a]\n",
        "merged_into_itself": "a: &a\n  <<: *a\n  b: 1\n",
        "merged_5000_times": "x: &x {a: 1}\ny:\n  <<: [" + ",".join(["*x"] * 5_000) + "]\n",
        "integer": "a: " + "9" * 500_000,
        "hexadecimal": "a: 0x" + "f" * 500_000,
        "binary": "a: 0b" + "1" * 900_000,
        "sexagesimal": "a: 1" + ":59" * 200_000,
        "fraction": "a: 1." + "9" * 500_000,
        "no_date": "a: 9999-99-99\n",
        "no_number": "a: !!int foo\n",
        "code": "a: !!python/object/apply:os.system ls\n",
        "nul": "a: \0",
        "escaped_nul": 'a: "\\0"',
        "surrogate": 'a: "\\ud800"',
        "anchors": "".join(f"- &a{number} x\n" for number in range(60_000)),
        "documents": "---\n" * 10_000,
        "too_long": "#" * 1_100_000,
        "twice": "a: 1\na: 2\n",
    }


def as_case(bomb: Bomb, folder: Path) -> dict[str, Any]:
    """The case for `measured`: the bomb is made in `folder`."""
    made = bomb.make(folder)
    path, spec = made if isinstance(made, tuple) else (made, {})
    return {
        "do": "collect",
        "spec": {"source": str(path), **json.loads(json.dumps(spec))},
        "folder": str(folder / "work"),
    }
