"""What the columns of a dataset hold, counted while its rows pass: missing cells, ranges of numbers, common values."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from modelmint.core.types import JSON

_MAX_VALUES = 1_000
_MAX_VALUE_CHARS = 60
_NUM_EXAMPLES = 3


class ColumnCensus:
    """Counts for each column that is not ours."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = {field.name: _Column(field.type) for field in schema if not field.name.startswith("_")}

    def see(self, batch: pa.RecordBatch) -> None:
        for name, column in self._columns.items():
            column.see(batch.column(name))

    def facts(self) -> list[JSON]:
        """Name, type, missing cells, examples; for numbers least, mean and most."""
        return [{"name": name, **column.facts()} for name, column in self._columns.items()]


class _Column:
    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.num_missing = self.num_filled = 0
        self.num_items = 0
        self.sum = 0.0
        self.least: Any = None
        self.most: Any = None
        self.values: Counter[str] | None = Counter() if pa.types.is_string(kind) else None

    def see(self, array: Any) -> None:
        self.num_missing += array.null_count
        self.num_filled += len(array) - array.null_count
        if pa.types.is_integer(self.kind) or pa.types.is_floating(self.kind):
            self._see_numbers(array)
        elif pa.types.is_list(self.kind):
            self.num_items += len(array.flatten())
        elif self.values is not None:
            self._see_texts(array)

    def facts(self) -> JSON:
        told: JSON = {"type": type_name(self.kind), "missing": self.num_missing}
        if pa.types.is_list(self.kind):
            told["items"] = round(self.num_items / max(self.num_filled, 1), 2)
        if self.least is not None:
            told |= {"least": self.least, "mean": round(self.sum / self.num_filled, 6), "most": self.most}
        if self.values is not None:
            told |= {
                "distinct": len(self.values),
                "examples": [name for name, _ in self.values.most_common(_NUM_EXAMPLES)],
            }
        return told

    def _see_numbers(self, array: Any) -> None:
        range_ = pc.min_max(array).as_py()
        if range_["min"] is None:
            return
        self.sum += float(pc.sum(array).as_py())
        self.least = range_["min"] if self.least is None else min(self.least, range_["min"])
        self.most = range_["max"] if self.most is None else max(self.most, range_["max"])

    def _see_texts(self, array: Any) -> None:
        """Values while they are few; a column of sentences has too many to count."""
        if len(array) > _MAX_VALUES and pc.count_distinct(array.slice(0, _MAX_VALUES)).as_py() > _MAX_VALUES * 3 // 4:
            self.values = None
            return
        counts = array.value_counts()
        if self.values is None or len(self.values) + len(counts) > _MAX_VALUES * 2:
            self.values = None
            return
        for each in counts.to_pylist():
            if each["values"] is not None:
                self.values[each["values"][:_MAX_VALUE_CHARS]] += each["counts"]
        if len(self.values) > _MAX_VALUES:
            self.values = None


def type_name(kind: Any) -> str:
    """What an Arrow type is called for people."""
    if pa.types.is_string(kind):
        return "text"
    if pa.types.is_binary(kind):
        return "bytes"
    if pa.types.is_integer(kind):
        return "whole number"
    if pa.types.is_floating(kind):
        return "number"
    if pa.types.is_list(kind):
        return "messages" if pa.types.is_struct(kind.value_type) else f"list of {type_name(kind.value_type)}s"
    return str(kind)
