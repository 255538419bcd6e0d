"""The licences that go out with a model: of its base and of every source, what they ask, and their texts where they are."""

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from modelmint.compression.exports.source import Source
from modelmint.training.bases import STARTER_PACKAGE

FOLDER = "licences"
_NAMES = re.compile(r"(LICEN[CS]E|NOTICE|COPYING|COPYRIGHT)[\w.-]*", re.IGNORECASE)
MAX_BYTES = 1 << 20
_STRICTEST_FIRST = ("no", "unknown", "conditions", "yes")


def copy_licences(source: Source, folder: Path) -> list[str]:
    """Write ``LICENCES.md``, and copy the texts that lie beside the base. Returns the copied files' paths."""
    copied = []
    for text in _texts(source):
        if text.is_file() and not text.is_symlink() and text.stat().st_size <= MAX_BYTES:
            (folder / FOLDER).mkdir(exist_ok=True)
            shutil.copyfile(text, folder / FOLDER / text.name)
            copied.append(f"{FOLDER}/{text.name}")
    (folder / "LICENCES.md").write_text(_told(source, copied), encoding="utf-8")
    return sorted(copied)


def origins(source: Source) -> list[tuple[str, ...]]:
    """Each base and source once, the strictest first: what it is, its name, licence, whether it lets one sell, its use."""
    keys = ("kind", "name", "licence", "verdict", "used")
    rows = {tuple(plain(entry[key]) for key in keys) for entry in source.verdict["because"]}
    return sorted(rows, key=lambda row: (_STRICTEST_FIRST.index(row[3]), row))


def plain(text: object) -> str:
    """Text from outside on one line that no Markdown table, link or tag comes out of."""
    flat = " ".join(str(text).split())[:300]
    return re.sub(r"([\\`*\[\]|~$#_])", r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _told(source: Source, copied: list[str]) -> str:
    verdict = source.verdict
    lines = [
        "# Licences",
        "",
        f"May this model be sold? **{verdict['may_be_sold']}**: {plain(verdict['why'])}.",
        "",
        "| what | name | licence | may be sold | used for |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {' | '.join(row)} |" for row in origins(source)]
    if verdict["obligations"]:
        lines += [
            "",
            "What is owed when it is passed on:",
            "",
            *(f"- {plain(each)}" for each in verdict["obligations"]),
        ]
    texts = ", ".join(f"[{name}]({name})" for name in copied)
    base, licence = plain(source.about.get("base")), plain(source.about.get("licence") or "its licence")
    lines += [
        "",
        f"Licence files that came with the base: {texts}. Where they are not the text of {licence}, add that too."
        if copied
        else f"No text of the licence of the base {base} was found on this machine: add it before you pass the model on.",
    ]
    return "\n".join([*lines, "", str(verdict["disclaimer"]), ""])


def _texts(source: Source) -> Iterator[Path]:
    """Licence files of the base, where it is on this machine; nothing is downloaded for it."""
    name = source.base or str(source.about.get("base") or "")
    if name == "starter":
        yield from _of_package(STARTER_PACKAGE)
    elif source.base is not None and (folder := Path(source.base).expanduser()).is_dir():
        yield from sorted(path for path in folder.iterdir() if _NAMES.fullmatch(path.name))


def _of_package(package: str) -> Iterator[Path]:
    try:
        files = distribution(package.replace("_", "-")).files or []
    except PackageNotFoundError:
        return
    yield from sorted(Path(str(file.locate())) for file in files if _NAMES.fullmatch(Path(str(file)).name))
