"""Rows of JSON lines, one object a line, and of JSON documents: a list of objects, or an object that holds one."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modelmint.data.sources.blocks import Block, Records, blockwise
from modelmint.data.sources.encodings import EncodingWatch, check_text, is_wide
from modelmint.data.sources.json_blocks import JsonBlocks
from modelmint.data.sources.json_documents import document_records
from modelmint.data.sources.json_values import parsed
from modelmint.data.sources.lines import Lines, RecordTooLongError, open_lines
from modelmint.data.sources.rows import ROWS_A_STEP, Reading, Row, SourceFile, missing_column

_ROWS_LOOKED_AT = 100
_NEVER = 1 << 62
_HEAD_CHARS = 1 << 16


def jsonl_rows(file: SourceFile, how: Reading) -> Iterator[Row | Block | Records]:
    """The rows of JSON lines; a column is missing when none of the first rows has it.

    Raises:
        DataError: no text, in another encoding, or a wanted column is missing.
    """
    check_text(file.path, gzipped=file.gzipped, encoding=how.encoding)
    with open_lines(
        file.path, gzipped=file.gzipped, encoding=how.encoding, newline="\n", max_chars=how.max_chars
    ) as lines:
        head, _ = lines.block(_HEAD_CHARS)
        lines.unread(head)
        if _is_document(head, named_json=file.format == "json"):
            yield from _checked(document_records(lines, name=file.path.name), how, file)
            return
        watch = EncodingWatch(path=file.path, gzipped=file.gzipped, encoding=how.encoding)
        blocks = JsonBlocks(wanted=how.columns, texts=how.texts)

        def next_block(number: int, num_chars: int) -> Block | Records | None:
            block = blocks.next(lines, number, num_chars)
            watch.num_foreign += blocks.num_foreign if block is not None else 0
            return block

        plain = how.block_chars > 0 and not is_wide(how.encoding)
        careful_rows = _ROWS_LOOKED_AT if plain else _NEVER
        rows = blockwise(
            lines, next_block, _next_row(lines), watch=watch, block_chars=how.block_chars, careful_rows=careful_rows
        )
        yield from _checked(rows, how, file)


json_rows = jsonl_rows
"""The rows of a ``.json`` file, which may also hold JSON lines."""


def _checked(rows: Iterator[Row | Block | Records], how: Reading, file: SourceFile) -> Iterator[Row | Block | Records]:
    """The same rows; a wanted column that none of the first has is missing."""
    keys = dict[str, None]()
    num_seen = 0
    for row in rows:
        if isinstance(row, Row) and num_seen < _ROWS_LOOKED_AT:
            keys.update(dict.fromkeys(row.cells or ()))
            num_seen += 1
            if num_seen == _ROWS_LOOKED_AT:
                _check(keys, how, file)
        yield row
    if num_seen < _ROWS_LOOKED_AT:
        _check(keys, how, file)


def _check(keys: Mapping[str, None], how: Reading, file: SourceFile) -> None:
    absent = next((column for column in how.columns if column not in keys), None)
    if absent is not None and keys:
        raise missing_column(file.path.name, absent, list(keys))


def _next_row(lines: Lines) -> Callable[[int], Row | None]:
    values = _values(lines)

    def next_row(number: int) -> Row | None:
        try:
            value, fault = next(values)
        except StopIteration:
            return None
        reason, detail = fault or ("", "")
        done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
        return Row(number, None if fault else value, reason, detail, lines.number, lines.record, done_bytes)

    return next_row


def _values(lines: Lines) -> Iterator[tuple[Any, tuple[str, str] | None]]:
    while True:
        lines.begin()
        try:
            line = next(lines)
            if not line.strip():
                continue
            value = parsed(line)
        except StopIteration:
            return
        except RecordTooLongError:
            yield None, ("too_long", f"line {lines.number}: a row longer than can be read")
        except (ValueError, RecursionError) as error:
            yield None, ("bad_json", f"line {lines.number}: {error}")
        else:
            yield value, not_object(value, lines.number)


def not_object(value: Any, line: int) -> tuple[str, str] | None:
    """The fault of a JSON value that is no object."""
    if isinstance(value, dict):
        return None
    return "bad_json", f"line {line}: must be an object; is a {type(value).__name__}"


def _is_document(head: str, *, named_json: bool) -> bool:
    """Whether a text is one JSON value over many lines, and not one on each line."""
    begun = head.lstrip()
    if begun.startswith("["):
        return named_json or begun[1:].lstrip()[:1] in {"{", ""}
    if not named_json or not begun.startswith("{"):
        return False
    first, _, rest = begun.partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return True
    return not rest.lstrip().startswith("{")
