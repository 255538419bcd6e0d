"""Archives from outside: what leads out of the folder, fills the disk or lies is refused whole, by the entry's name."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import time
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from modelmint.core.errors import DataError
from modelmint.data.sources.archives import Unpacked, unpack
from modelmint.data.sources.packed import Bounds

CSV = b"text,label\nhello,a\nbye,b\n"
TAR_PACKINGS = {".tar": lambda raw: raw, ".tar.gz": gzip.compress, ".tgz": gzip.compress, ".tar.bz2": bz2.compress,
                ".tar.xz": lzma.compress, ".tar.zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True)}  # fmt: skip

BAD_NAMES = {
    "one up": "../evil.csv",
    "up within": "a/../../evil.csv",
    "up and back": "a/../b.csv",
    "up at the end": "a/..",
    "only up": "..",
    "here within": "a/./b.csv",
    "empty part": "a//b.csv",
    "absolute": "/etc/passwd",
    "absolute twice": "//etc/passwd",
    "drive": "C:/evil.csv",
    "drive without a slash": "c:evil.csv",
    "backslash": "a\\b.csv",
    "up by backslash": "..\\..\\evil.csv",
    "share": "\\\\server\\share\\evil.csv",
    "line break": "a\nb.csv",
    "carriage return": "a\rb.csv",
    "bell": "a\x07b.csv",
    "escape": "a\x1b[31mb.csv",
    "delete": "a\x7fb.csv",
    "next line": "a\x85b.csv",
    "right to left": "a\u202evsc.exe",
    "byte order mark": "\ufeffa.csv",
    "line separator": "a\u2028b.csv",
    "part too long": "x" * 256 + ".csv",
    "part of characters too long": "请" * 90 + ".csv",
    "name too long": "/".join(["x" * 100] * 12),
    "too deep": "/".join("x" * 21),
}


def zipped(path: Path, *entries: tuple[str, bytes] | tuple[zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo("x")
            info.filename = info.filename if isinstance(name, zipfile.ZipInfo) else name
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def tarred(path: Path, *entries: tuple[str | tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> Path:  # noqa: A002
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format) as archive:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    packing = next(pack for suffix, pack in reversed(TAR_PACKINGS.items()) if path.name.endswith(suffix))
    path.write_bytes(packing(raw.getvalue()))
    return path


def refused(path: Path, said: str, **bounds: int) -> None:
    """Unpacking raises within 2 s of processor time, and nothing is left, in the folder or beside it."""
    folder = path.parent / "out" / "inner"
    before, began = sorted(path.parent.parent.rglob("*")), time.process_time()
    with pytest.raises(DataError, match=said):
        unpack(path, folder, bounds=Bounds(**bounds))
    assert time.process_time() - began < 2
    folder.parent.rmdir()
    assert sorted(path.parent.parent.rglob("*")) == before


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "box" / "source"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_zip_with_a_bad_name_is_refused(source: Path, name: str) -> None:
    refused(zipped(source / "a.zip", ("good.csv", CSV), (name, CSV)), "its entry '")


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_tar_with_a_bad_name_is_refused(source: Path, name: str) -> None:
    refused(tarred(source / "a.tar.gz", ("good.csv", CSV), (name, CSV)), "its entry '")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("a.csv", "a.csv", "is there twice"),
        ("./a.csv", "a.csv", "is there twice"),
        ("a.csv", "A.csv", "only by case"),
        ("a.csv", "a.CSV", "only by case"),
        ("data/a.csv", "Data/b.csv", "only by case"),
        ("straße.csv", "STRASSE.csv", "only by case"),
        ("é.csv", unicodedata.normalize("NFD", "é.csv"), "Unicode form"),
        ("a", "a/b.csv", "a file in one place and a folder in another"),
        ("a/b.csv", "a", "a file in one place and a folder in another"),
        ("A/b.csv", "a", "a file in one place and a folder in another"),
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_mean_one_place_are_refused(
    source: Path, pack: Callable[..., Path], first: str, second: str, said: str
) -> None:
    path = source / ("a.zip" if pack is zipped else "a.tar")
    refused(pack(path, (first, CSV), (second, CSV)), said)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (tarfile.CONTTYPE, "of an unknown kind"),
        (b"Z", "of an unknown kind"),
        (b"V", "of an unknown kind"),
        (b"M", "of an unknown kind"),
    ],
)
def test_a_tar_with_anything_but_plain_files_is_refused(source: Path, kind: bytes, said: str) -> None:
    info = tarfile.TarInfo("link.csv")
    info.type, info.linkname = kind, "/etc/passwd"
    refused(tarred(source / "a.tar", ("good.csv", CSV), (info, b"")), said)


def test_a_link_and_then_a_file_through_it_is_refused(source: Path) -> None:
    link = tarfile.TarInfo("a")
    link.type, link.linkname = tarfile.SYMTYPE, ".."
    refused(tarred(source / "a.tar", (link, b""), ("a/evil.csv", CSV)), "'a' is a symbolic link")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (stat.S_IFLNK, "a symbolic link"),
        (stat.S_IFCHR, "no plain file"),
        (stat.S_IFBLK, "no plain file"),
        (stat.S_IFIFO, "no plain file"),
        (stat.S_IFSOCK, "no plain file"),
        (stat.S_IFDIR, "a folder and a file"),
    ],
)
def test_a_zip_with_anything_but_plain_files_is_refused(source: Path, mode: int, said: str) -> None:
    info = zipfile.ZipInfo("link.csv")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    refused(zipped(source / "a.zip", ("good.csv", CSV), (info, b"/etc/passwd")), said)


@pytest.mark.parametrize(("flag", "said"), [(0x1, "encrypted"), (0x41, "encrypted"), (0x2001, "encrypted")])
def test_a_zip_with_an_encrypted_entry_is_refused(source: Path, flag: int, said: str) -> None:
    path = zipped(source / "a.zip", ("a.csv", CSV))
    content = bytearray(path.read_bytes())
    for place in (6, content.index(b"PK\x01\x02") + 8):
        content[place : place + 2] = struct.pack("<H", flag)
    path.write_bytes(content)
    refused(path, said)


@pytest.mark.parametrize("method", [9, 14, 93, 95, 98, 99])
def test_a_zip_packed_by_another_method_is_refused(source: Path, method: int) -> None:
    path = zipped(source / "a.zip", ("a.csv", CSV))
    content = bytearray(path.read_bytes())
    for place in (8, content.index(b"PK\x01\x02") + 10):
        content[place : place + 2] = struct.pack("<H", method)
    path.write_bytes(content)
    refused(path, f"method {method}")


def test_a_zip_whose_headers_name_different_files_is_refused(source: Path) -> None:
    path = zipped(source / "a.zip", ("good.csv", CSV))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"good.csv", b"evil.csv", 1))
    refused(path, "not a whole ZIP archive: File name in directory")


def test_a_zip_name_that_goes_on_after_a_nul_is_refused(source: Path) -> None:
    path = zipped(source / "a.zip", ("good.csvXevil", CSV))
    path.write_bytes(path.read_bytes().replace(b"csvXevil", b"csv\0evil"))
    refused(path, r"good.csv\\x00evil' has a control character")


@pytest.mark.parametrize("declared", [0, 5, 1_000_000])
def test_a_zip_whose_sizes_lie_is_refused(source: Path, declared: int) -> None:
    path = zipped(source / "a.zip", ("a.csv", CSV))
    content = bytearray(path.read_bytes())
    for place in (22, content.index(b"PK\x01\x02") + 24):
        content[place : place + 4] = struct.pack("<I", declared)
    path.write_bytes(content)
    refused(path, "Bad CRC|declares")


def test_a_zip_whose_bytes_were_changed_is_refused(source: Path) -> None:
    path = zipped(source / "a.zip", ("a.csv", CSV * 100))
    content = bytearray(path.read_bytes())
    content[45] ^= 0xFF
    path.write_bytes(content)
    refused(path, "not a whole ZIP archive")


def test_a_zip_whose_entries_overlap_is_refused(source: Path) -> None:
    """Fifield's bomb in small: two entries of the table of contents lead to the same bytes."""
    path = zipped(source / "a.zip", ("a.csv", CSV), ("b.csv", CSV))
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(content)
    refused(path, "overlaps another")


def test_a_zip_whose_last_entry_reaches_into_the_directory_is_refused(source: Path) -> None:
    path = zipped(source / "a.zip", ("a.csv", CSV))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 20
    content[place : place + 4] = struct.pack("<I", 1 << 20)
    path.write_bytes(content)
    refused(path, "past the end")


def test_a_zip_that_declares_a_huge_directory_is_refused(source: Path) -> None:
    path = zipped(source / "a.zip", ("a.csv", CSV))
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    zeros = bytes(16 << 20)
    changed = bytearray(content[end:])
    changed[12:16] = struct.pack("<I", len(zeros))
    path.write_bytes(content[:end] + zeros + changed)
    refused(path, "table of contents of 16,777,216 bytes")


@pytest.mark.parametrize("name", ["a.zip", *(f"a{suffix}" for suffix in TAR_PACKINGS), "a.csv.gz", "a.csv.bz2"])
def test_damage_and_nothing_are_refused(source: Path, name: str) -> None:
    path = source / name
    for content in (b"", b"PK", b"\x1f\x8b\x08", bytes(range(256)) * 8):
        path.write_bytes(content)
        refused(path, "is not a whole")


@pytest.mark.parametrize("suffix", TAR_PACKINGS)
def test_a_tar_that_ends_too_early_is_refused(source: Path, suffix: str) -> None:
    path = tarred(source / f"a{suffix}", ("a.csv", CSV * 1000))
    content = path.read_bytes()
    path.write_bytes(content[: 2000 if suffix == ".tar" else len(content) * 2 // 3])
    refused(path, "is not a whole")


@pytest.mark.parametrize("suffix", TAR_PACKINGS)
def test_a_tar_that_goes_on_after_its_end_is_refused(source: Path, suffix: str) -> None:
    path = tarred(source / f"a{suffix}", ("a.csv", CSV))
    plain = tarred(source / "plain.tar", ("a.csv", CSV)).read_bytes()
    path.write_bytes(TAR_PACKINGS[suffix](plain + plain))
    (source / "plain.tar").unlink()
    refused(path, "goes on after its end")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_bomb_of_one_file_is_refused(source: Path, suffix: str) -> None:
    path = source / f"a.csv{suffix}"
    path.write_bytes(TAR_PACKINGS[f".tar{suffix}"](bytes(70 << 20)))
    refused(path, "250 times its size .* a bomb")


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_a_bomb_in_a_tar_is_refused(source: Path, suffix: str) -> None:
    refused(tarred(source / f"a{suffix}", ("a.csv", bytes(70 << 20))), "a bomb")


def test_a_bomb_after_the_end_of_a_tar_is_refused(source: Path) -> None:
    plain = tarred(source / "a.tar", ("a.csv", CSV)).read_bytes()
    (source / "a.tar").unlink()
    (source / "a.tar.gz").write_bytes(gzip.compress(plain + bytes(70 << 20)))
    refused(source / "a.tar.gz", "a bomb")


def test_a_bomb_in_a_zip_is_refused(source: Path) -> None:
    refused(zipped(source / "a.zip", ("a.csv", bytes(70 << 20))), "a bomb")


def test_a_bomb_of_many_small_entries_is_refused(source: Path) -> None:
    bound = 20 << 20
    refused(zipped(source / "a.zip", *((f"{n}.csv", bytes(1 << 20)) for n in range(40))), "a bomb", free_bytes=bound)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_entries_are_refused(source: Path, pack: Callable[..., Path]) -> None:
    path = source / ("a.zip" if pack is zipped else "a.tar")
    refused(pack(path, *((f"{n}.csv", b"") for n in range(101))), "entries", max_entries=100)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_bytes_are_refused(source: Path, pack: Callable[..., Path]) -> None:
    path = source / ("a.zip" if pack is zipped else "a.tar")
    refused(pack(path, ("a.csv", b"x" * 600_000), ("b.csv", b"x" * 600_000)), "1,000,000", max_bytes=1_000_000)


def test_a_file_of_a_million_empty_members_is_refused(source: Path) -> None:
    (source / "a.csv.gz").write_bytes(gzip.compress(b"") * 300_000)
    refused(source / "a.csv.gz", "more than 200,000 entries")


def test_a_sparse_file_is_refused(source: Path) -> None:
    info = tarfile.TarInfo("a.csv")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 50)}
    refused(tarred(source / "a.tar", (info, CSV)), "a sparse file")


def test_an_old_sparse_file_is_refused(source: Path) -> None:
    info = tarfile.TarInfo("a.csv")
    info.type = tarfile.GNUTYPE_SPARSE
    refused(tarred(source / "a.tar", (info, b""), format=tarfile.GNU_FORMAT), "a sparse file")


@pytest.mark.parametrize("size", ["-1", "1e9", str(1 << 70)])
def test_an_extended_header_with_a_bad_size_is_refused(source: Path, size: str) -> None:
    info = tarfile.TarInfo("a.csv")
    info.pax_headers = {"size": size}
    refused(tarred(source / "a.tar", (info, CSV)), "declares -1 bytes")


def test_an_extended_header_that_renames_an_entry_upwards_is_refused(source: Path) -> None:
    info = tarfile.TarInfo("a.csv")
    info.pax_headers = {"path": "../../evil.csv"}
    refused(tarred(source / "a.tar", (info, CSV)), "evil.csv' has a name with an empty part")


def test_a_header_for_all_entries_that_gives_a_name_is_refused(source: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", pax_headers={"path": "../evil.csv"}) as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    (source / "a.tar").write_bytes(raw.getvalue())
    refused(source / "a.tar", "a header for all entries")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_100_mb_is_refused(source: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a.csv")
    info.type, info.size = kind, 100 << 20
    (source / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(10 << 20)))
    refused(source / "a.tar.gz", "a header of 104,857,600 bytes")


@pytest.mark.parametrize("body", [b"999 path=x\n", b"0 path=x\n", b"x path=x\n", b"9 pathxyz\n", b"11 path=xyz!"])
def test_a_broken_extended_header_is_refused(source: Path, body: bytes) -> None:
    info = tarfile.TarInfo("a.csv")
    info.type, info.size = tarfile.XHDTYPE, len(body)
    (source / "a.tar").write_bytes(info.tobuf() + body.ljust(512, b"\0") + tarfile.TarInfo("b.csv").tobuf())
    refused(source / "a.tar", "a broken extended header")


def test_a_negative_size_is_refused(source: Path) -> None:
    info = tarfile.TarInfo("a.csv")
    info.size = -512
    (source / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    refused(source / "a.tar", "declares -512 bytes")


def test_a_name_of_bytes_that_are_no_text_is_refused(source: Path) -> None:
    refused(tarred(source / "a.tar", ("caf\udce9.csv", CSV), format=tarfile.GNU_FORMAT), "undecodable byte")


def test_an_archive_of_nothing_is_refused(source: Path) -> None:
    refused(zipped(source / "a.zip"), "holds no file")


def test_a_file_of_another_kind_is_refused(source: Path) -> None:
    (source / "a.rar").write_bytes(b"Rar!\x1a\x07")
    refused(source / "a.rar", "must be an archive")


@pytest.mark.parametrize("suffix", [".zip", *TAR_PACKINGS])
def test_a_sound_archive_is_unpacked(source: Path, suffix: str) -> None:
    pack = zipped if suffix == ".zip" else tarred
    path = pack(source / f"a{suffix}", ("./train.csv", CSV), ("更多/dev.csv", CSV), ("x" * 200 + "/y.csv", b""))
    found = unpack(path, source / "out")
    assert {str(file.relative_to(found.path)): file.read_bytes() for file in found.path.rglob("*.csv")} == {
        "train.csv": CSV,
        "更多/dev.csv": CSV,
        "x" * 200 + "/y.csv": b"",
    }


@pytest.mark.parametrize("format_of", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_format_is_unpacked(source: Path, format_of: int) -> None:
    long = "/".join(["x" * 60] * 3) + ".csv"
    found = unpack(tarred(source / "a.tar", (long, CSV), format=format_of), source / "out")
    assert (found.num_files, found.num_bytes, found.path.read_bytes()) == (1, len(CSV), CSV)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_single_packed_file_is_unpacked(source: Path, suffix: str) -> None:
    path = source / f"a.csv{suffix}"
    path.write_bytes(TAR_PACKINGS[f".tar{suffix}"](CSV))
    assert unpack(path, source / "out") == Unpacked(
        path=source / "out" / "a.csv", num_files=1, num_bytes=len(CSV), left_out=()
    )


def test_a_gzip_file_of_two_members_is_unpacked_whole(source: Path) -> None:
    (source / "a.csv.gz").write_bytes(gzip.compress(CSV) + gzip.compress(b"more,a\n") + bytes(100))
    assert unpack(source / "a.csv.gz", source / "out").path.read_bytes() == CSV + b"more,a\n"


def test_what_file_managers_add_is_left_out_and_said(source: Path) -> None:
    path = zipped(source / "a.zip", ("d/a.csv", CSV), ("__MACOSX/d/._a.csv", b"x"), ("d/.DS_Store", b"x"))
    found = unpack(path, source / "out")
    assert (found.path.name, found.left_out) == ("a.csv", ("__MACOSX/d/._a.csv", "d/.DS_Store"))


def test_a_chinese_name_of_an_old_zip_is_read(source: Path) -> None:
    path = zipped(source / "a.zip", ("xxxx.csv", CSV))
    path.write_bytes(path.read_bytes().replace(b"xxxx", "数据".encode("gbk")))
    assert unpack(path, source / "out").path.name == "数据.csv"


def test_a_stop_asked_for_while_unpacking_leaves_nothing(source: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(zipped(source / "a.zip", ("a.csv", CSV), ("b.csv", CSV)), source / "out", say=stop)
    assert not (source / "out").exists()
