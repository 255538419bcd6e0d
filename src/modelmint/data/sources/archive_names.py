"""Which names an archive's entries may have: plain relative paths that mean one place on every file system."""

import re
import unicodedata
from dataclasses import dataclass, field

from modelmint.core.errors import DataError
from modelmint.data.sources.packed import Bounds

MAX_NAME_BYTES = 1000
MAX_PART_BYTES = 255
LEFT_OUT = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers add; not unpacked, and said so."""


@dataclass(kw_only=True)
class Names:
    """The names taken so far in one archive. Not thread-safe."""

    archive: str
    bounds: Bounds
    left_out: list[str] = field(default_factory=list)
    """What was not taken because no one misses it."""
    _files: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, *, is_folder: bool) -> str | None:
        """The path of an entry, relative and with plain slashes; None where it need not be unpacked.

        Raises:
            DataError: the name leads elsewhere, cannot be kept everywhere, or is there twice.
        """
        parts = name.removesuffix("/").split("/") if is_folder else name.split("/")
        if parts and parts[0] == ".":  # `tar -C folder .` writes ./name
            parts = parts[1:]
        if is_folder and not parts:
            return None
        if fault := self._fault(name, parts):
            raise self.refused(name, fault)
        if LEFT_OUT.intersection(parts) or parts[-1].startswith("._"):
            self.left_out.append(name)
            return None
        for depth in range(1, len(parts) + is_folder):
            self._take_folder("/".join(parts[:depth]), name)
        if not is_folder:
            self._take_file("/".join(parts), name)
        return "/".join(parts)

    def refused(self, name: str, fault: str) -> DataError:
        """The error for an entry."""
        shown = name[:120].encode("unicode_escape").decode("ascii")
        return DataError(
            f"source: {self.archive} is not unpacked: its entry '{shown}' {fault}",
            parameter="source",
            remedy="Only plain files under plain relative names are taken. Pack it again without this entry.",
        )

    def _fault(self, name: str, parts: list[str]) -> str | None:
        sizes_bytes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
        too_long = sum(sizes_bytes) + len(parts) > MAX_NAME_BYTES or max(sizes_bytes, default=0) > MAX_PART_BYTES
        faults = (
            (_UNPRINTABLE.search(name), "has a control character, a direction mark or an undecodable byte in its name"),
            ("\\" in name, "has a backslash in its name"),
            (name.startswith("/") or _DRIVE.match(name), "has an absolute name"),
            (not parts or {"", ".", ".."}.intersection(parts), "has a name with an empty part, `.` or `..`"),
            (too_long, f"has too long a name ({MAX_NAME_BYTES} bytes in all, {MAX_PART_BYTES} a part)"),
            (len(parts) > self.bounds.max_depth, f"lies more than {self.bounds.max_depth} folders deep"),
        )
        return next((said for wrong, said in faults if wrong), None)

    def _take_folder(self, path: str, name: str) -> None:
        if self._folders.get(_key(path)) == path:
            return
        if _key(path) in self._files:
            raise self.refused(name, "is a file in one place and a folder in another")
        if (held := self._folders.setdefault(_key(path), path)) != path:
            raise self.refused(name, f"differs from '{held[:80]}' only by case or Unicode form")

    def _take_file(self, path: str, name: str) -> None:
        if _key(path) in self._folders:
            raise self.refused(name, "is a file in one place and a folder in another")
        held = self._files.get(_key(path))
        if held is not None:
            same = "is there twice" if held == path else f"differs from '{held[:80]}' only by case or Unicode form"
            raise self.refused(name, same)
        self._files[_key(path)] = path


def _key(path: str) -> str:
    """A path as file systems see it that are blind to case and Unicode form."""
    return unicodedata.normalize("NFC", path).casefold()


_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_DRIVE = re.compile("[A-Za-z]:")
