"""Rows of JSON lines: one object a line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelmint.data.lines import Lines, RecordTooLongError
from modelmint.data.rows import ROWS_A_STEP, Row, cell_text, missing_column

_ROWS_LOOKED_AT = 100


def json_rows(lines: Lines, columns: Sequence[str], *, name: str) -> Iterator[Row]:
    """The rows, in order; a column is missing when none of the first rows has it.

    Raises:
        DataError: a wanted column is missing.
    """
    keys = dict[str, None]()
    number = 0
    for value, fault in _values(lines, columns[0]):
        if number < _ROWS_LOOKED_AT and isinstance(value, dict):
            keys.update(dict.fromkeys(value))
        reason, detail = fault or ("", "")
        cells = None if fault else [cell_text(value.get(column)) for column in columns]
        done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
        yield Row(number, lines.number, cells, reason, detail, lines.record, done_bytes)
        number += 1
        if number == _ROWS_LOOKED_AT:
            _check(keys, columns, name)
    if number < _ROWS_LOOKED_AT:
        _check(keys, columns, name)


def _values(lines: Lines, text: str) -> Iterator[tuple[Any, tuple[str, str] | None]]:
    while True:
        lines.begin()
        try:
            line = next(lines)
            if not line.strip():
                continue
            value = json.loads(line)
        except StopIteration:
            return
        except RecordTooLongError:
            yield None, ("too_long", f"line {lines.number}: a row longer than can be read")
        except (ValueError, RecursionError) as error:
            yield None, ("bad_json", f"line {lines.number}: {error}")
        else:
            yield value, _fault(value, text, lines.number)


def _fault(value: Any, text: str, number: int) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return "bad_json", f"line {number}: must be an object; is a {type(value).__name__}"
    if not isinstance(value.get(text), str | None):
        return "bad_type", f"line {number}: {text!r} must be a string; is a {type(value[text]).__name__}"
    return None


def _check(keys: Mapping[str, None], columns: Sequence[str], name: str) -> None:
    absent = next((column for column in columns if column not in keys), None)
    if absent is not None and keys:
        raise missing_column(name, absent, list(keys))
