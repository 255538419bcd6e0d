"""Walking away with a dataset: one file, or a folder, in a format that others read.

export(dataset, Path("rows.csv"))                      the format by the suffix
export(dataset, Path("chat.jsonl"), "sharegpt")        a dialect of JSON lines
export(dataset, Path("digits"), "folder")              images: one folder a label
"""

import csv
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core.errors import DataError, InputError
from modelmint.core.forms import form_of
from modelmint.core.tables import batches, column_names
from modelmint.core.types import JSON, Dataset
from modelmint.data.formulas import safe_cell
from modelmint.data.writers import DIALECTS, loses_tools

Say = Callable[[int, int, str], None]

_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet", ".arrow": "arrow",
    ".xlsx": "excel", ".txt": "text", ".conll": "conll",
}  # fmt: skip
MAX_EXCEL_ROWS = 1_048_575
MAX_EXCEL_CHARS = 32_767


def export(
    dataset: Dataset,
    target: Path,
    format: str | None = None,  # noqa: A002  # the word that people type
    *,
    ids: bool = False,
    overwrite: bool = False,
    say: Say = lambda _done, _total, _message: None,
) -> JSON:
    """Write every row; the target appears when all of it is there.

    Args:
        format: one of `formats`; by the target's suffix when it is not given, ``folder`` when it has none.
        ids: also write the columns that are ours (`_row`, `_group`, ...). The declared split is always written.
        overwrite: replace a file that is there. A folder must be new or empty.

    Returns:
        ``{"path", "format", "rows", "notes"}``: notes say what a format could not hold.

    Raises:
        InputError: the format is unknown or does not fit the task, or the target is there.
        DataError: a cell does not fit the format (bytes in a text format, too long for Excel).
    """
    task = form_of(dataset).task
    chosen = format or (_SUFFIXES.get(target.suffix.lower()) if target.suffix else "folder")
    if chosen is None:
        raise InputError(
            f"format: {target.name} has no suffix that says it; known are {', '.join(_SUFFIXES)}",
            parameter="format",
            remedy=f"End the name in one of them, or name a format with --format: {', '.join(formats(task))}.",
        )
    if chosen not in formats(task):
        raise InputError(
            f"format: must be one of {', '.join(formats(task))} for {task}; got {chosen}",
            parameter="format",
            remedy="Name one with --format.",
        )
    if target.exists() and not (overwrite and target.is_file()) and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(
            f"target: {target} is there already",
            parameter="target",
            remedy="Give another name, or --overwrite for a file.",
        )
    notes: list[str] = []
    with _whole(target, folder=chosen == "folder") as draft:
        num_rows = _WRITERS.get(chosen, _dialect)(_Rows(dataset, ids=ids, say=say), draft, chosen, notes)
    return {"path": str(target), "format": chosen, "rows": num_rows, "notes": notes}


def formats(task: str) -> list[str]:
    """The formats that can hold rows of a task."""
    if task in ("image-classification", "audio-classification"):
        return ["folder", "parquet", "arrow"]
    tables = ["csv", "tsv", "jsonl", "json", "parquet", "arrow", "excel"]
    texts = {"text-generation": ["text"], "text-classification": ["folder"], "token-classification": ["conll"]}
    return [*tables, *texts.get(task, []), *(name for name, each in DIALECTS.items() if task in each.tasks)]


class _Rows:
    """The dataset's rows as a format wants them."""

    def __init__(self, dataset: Dataset, *, ids: bool, say: Say) -> None:
        self.dataset, self._ids, self._say = dataset, ids, say
        names = column_names(dataset)
        self.columns = [name for name in names if ids or not name.startswith("_")]
        self.has_split = "_split" in names and not ids

    @property
    def names(self) -> list[str]:
        return [*self.columns, *(["split"] if self.has_split else [])]

    def tables(self) -> Iterator[pa.Table]:
        """The chosen columns, one batch after another; the declared split as a column ``split``."""
        num_done = 0
        for batch in batches(self.dataset):
            num_done += batch.num_rows
            self._say(num_done, self.dataset.num_rows, f"{num_done:,} rows written")
            table = pa.Table.from_batches([batch]).select([*self.columns, *(["_split"] if self.has_split else [])])
            yield table.rename_columns(self.names)

    def plain(self) -> Iterator[JSON]:
        """The chosen columns as Python values."""
        for table in self.tables():
            yield from table.to_pylist()

    def every(self) -> Iterator[JSON]:
        """All columns, ours too."""
        num_done = 0
        for batch in batches(self.dataset):
            num_done += batch.num_rows
            self._say(num_done, self.dataset.num_rows, f"{num_done:,} rows written")
            yield from batch.to_pylist()


def _csv(rows: _Rows, draft: Path, chosen: str, notes: list[str]) -> int:
    num_rows = num_guarded = 0
    with draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t" if chosen == "tsv" else ",", lineterminator="\n")
        writer.writerow([safe_cell(name) for name in rows.names])
        for row in rows.plain():
            cells = [_flat(cell) for cell in row.values()]
            guarded = [safe_cell(cell) if isinstance(cell, str) else cell for cell in cells]
            num_guarded += guarded != cells
            writer.writerow(guarded)
            num_rows += 1
    if num_guarded:
        notes.append(
            f"{num_guarded:,} rows hold a cell that a spreadsheet would run as a formula; an apostrophe stands before "
            f"it. Read it back with `guarded: true`."
        )
    return num_rows


def _jsonl(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    return _json_lines(rows.plain(), draft)


def _json(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    return _json_array(rows.plain(), draft)


def _parquet(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    num_rows, writer = 0, None
    try:
        for table in rows.tables():
            writer = writer or pq.ParquetWriter(draft, table.schema, compression="zstd")
            writer.write_table(table)
            num_rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return num_rows


def _arrow(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    num_rows, writer = 0, None
    try:
        for table in rows.tables():
            writer = writer or pa.ipc.new_file(draft, table.schema)
            writer.write_table(table)
            num_rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return num_rows


def _excel(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise InputError(
            "format: excel needs the extra `documents`",
            parameter="format",
            remedy='pip install "modelmint[documents]", or choose csv.',
        ) from error
    if rows.dataset.num_rows > MAX_EXCEL_ROWS:
        raise DataError(
            f"format: an Excel sheet holds {MAX_EXCEL_ROWS:,} rows; the dataset has {rows.dataset.num_rows:,}",
            parameter="format",
            remedy="Choose csv or parquet.",
        )
    book = Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.append(rows.names)
    num_rows = 0
    try:
        for row in rows.plain():
            sheet.append([_excel_cell(sheet, cell) for cell in row.values()])
            num_rows += 1
    finally:
        sheet.close()
    book.save(draft)
    return num_rows


def _excel_cell(sheet: Any, cell: Any) -> Any:
    """A cell that Excel shows as it is: text is text, never a formula."""
    from openpyxl.cell import WriteOnlyCell

    if not isinstance(cell, str | list | dict):
        return _flat(cell)
    text = _flat(cell)
    if len(text) > MAX_EXCEL_CHARS or _UNFIT.search(text):
        said = (
            f"has {len(text):,} characters; {MAX_EXCEL_CHARS:,} fit"
            if len(text) > MAX_EXCEL_CHARS
            else "holds control characters"
        )
        raise DataError(f"format: a cell {said} in an Excel cell", parameter="format", remedy="Choose csv or jsonl.")
    made = WriteOnlyCell(sheet, value=text)
    made.data_type = "s"
    return made


def _text(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    """Documents, with an empty line between them."""
    num_rows = 0
    with draft.open("w", encoding="utf-8", newline="") as stream:
        for row in rows.every():
            stream.write(("\n" if num_rows else "") + row["text"].rstrip("\n") + "\n")
            num_rows += 1
    return num_rows


def _conll(rows: _Rows, draft: Path, _chosen: str, _notes: list[str]) -> int:
    """A token and its tag a line, an empty line behind a sentence."""
    num_rows = 0
    with draft.open("w", encoding="utf-8", newline="") as stream:
        for row in rows.every():
            stream.writelines(
                f"{''.join(token.split()) or '_'} {tag}\n"
                for token, tag in zip(row["tokens"], row["tags"], strict=True)
            )
            stream.write("\n")
            num_rows += 1
    return num_rows


def _folder(rows: _Rows, draft: Path, _chosen: str, notes: list[str]) -> int:
    """One folder a label (below one a split, where the source declared them), one file a row, named by its id."""
    num_rows, renamed = 0, set()
    for row in rows.every():
        label = _folder_name(row["label"])
        if label != row["label"]:
            renamed.add(row["label"])
        place = draft / (row.get("_split") or "") / label
        place.mkdir(parents=True, exist_ok=True)
        content = row.get("image") or row.get("audio") or str(row.get("text") or "").encode()
        (place / f"{_folder_name(row['_row'])}{_suffix(content, row)}").write_bytes(content)
        num_rows += 1
    if renamed:
        notes.append(f"{len(renamed):,} labels cannot be folder names as they are; they are percent-encoded.")
    return num_rows


def _dialect(rows: _Rows, draft: Path, chosen: str, notes: list[str]) -> int:
    dialect, num_lost = DIALECTS[chosen], 0

    def records() -> Iterator[JSON]:
        nonlocal num_lost
        for row in rows.every():
            num_lost += loses_tools(chosen, row)
            yield dialect.record(row)

    if not dialect.whole:
        num_rows = _json_lines(records(), draft)
    elif chosen == "squad":
        num_rows = _json_array(records(), draft, before='{"version": "1.1", "data": ', after="}")
    else:
        num_rows = _json_array(records(), draft)
    if num_lost:
        notes.append(f"{num_lost:,} chats hold calls of tools or turns that {chosen} cannot; they are cut. Use openai.")
    return num_rows


_WRITERS: dict[str, Callable[[_Rows, Path, str, list[str]], int]] = {
    "csv": _csv, "tsv": _csv, "jsonl": _jsonl, "json": _json, "parquet": _parquet, "arrow": _arrow, "excel": _excel,
    "text": _text, "conll": _conll, "folder": _folder,
}  # fmt: skip


def _json_lines(records: Iterator[JSON], draft: Path) -> int:
    num_rows = 0
    with draft.open("w", encoding="utf-8", newline="") as stream:
        for record in records:
            stream.write(_dumped(record) + "\n")
            num_rows += 1
    return num_rows


def _json_array(records: Iterator[JSON], draft: Path, *, before: str = "", after: str = "") -> int:
    num_rows = 0
    with draft.open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"{before}[")
        for record in records:
            stream.write(("," if num_rows else "") + "\n" + _dumped(record))
            num_rows += 1
        stream.write(f"\n]{after}\n")
    return num_rows


def _dumped(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False, default=_unfit)


def _flat(cell: Any) -> Any:
    """A cell of a table: what is nested is JSON text."""
    if isinstance(cell, list | dict):
        return _dumped(cell)
    return _unfit(cell) if isinstance(cell, bytes) else cell


def _unfit(value: Any) -> Any:
    if isinstance(value, bytes):
        raise DataError(
            "format: a text format cannot hold bytes", parameter="format", remedy="Choose parquet or folder."
        )
    return str(value)


def _folder_name(name: str) -> str:
    """A name that is one plain part of a path on every system."""
    safe = quote(name, safe=" !#$&'()+,;=@[]^{}~") if not _PLAIN.fullmatch(name) else name
    return safe.replace(".", "%2E") if set(safe) == {"."} else safe[:200] or "%00"


def _suffix(content: bytes, row: JSON) -> str:
    """What the bytes are, by their first ones."""
    if "text" in row:
        return ".txt"
    known = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"fLaC": ".flac", b"OggS": ".ogg"}
    riff = {b"WAVE": ".wav", b"WEBP": ".webp"}.get(content[8:12], "") if content[:4] == b"RIFF" else ""
    return riff or next((suffix for first, suffix in known.items() if content.startswith(first)), ".bin")


_PLAIN = re.compile(r"[\w-][\w .-]*(?<![ .])")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@contextmanager
def _whole(target: Path, *, folder: bool) -> Iterator[Path]:
    """A draft beside the target that takes its place when everything is written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{os.getpid()}.draft"
    if folder:
        draft.mkdir()
    try:
        yield draft
        if target.is_dir():
            target.rmdir()
        draft.replace(target)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink(missing_ok=True)
