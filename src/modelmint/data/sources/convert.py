"""One record of a source -> the canonical cells of its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelmint.data.sources.cell_types import typed
from modelmint.data.sources.checks import BadRowError, Checks, Record
from modelmint.data.sources.dialects import Dialect

if TYPE_CHECKING:
    from modelmint.data.collect import CollectSpec


class Converter:
    """Converts and checks the records of one source."""

    def __init__(
        self, spec: CollectSpec, dialect: Dialect, *, names: Mapping[str, str], types: Mapping[str, str], encoding: str
    ) -> None:
        self.checks = Checks(max_cell_chars=spec.max_cell_chars, encoding=encoding, names=names)
        self._dialect, self._types, self._label = dialect, types, spec.label

    def canonical(self, record: Record) -> Mapping[str, Any]:
        """The canonical cells.

        Raises:
            BadRowError: the record does not fit the task's form.
        """
        task = self._dialect.task
        if not task.startswith("tabular"):
            return self.checks.row(task, self._dialect.convert(record))
        cells = {name: typed(record.get(name), kind, name) for name, kind in self._types.items()}
        for cell in cells.values():
            if isinstance(cell, str):
                self.checks.plain(cell)
        label = record.get(self._label)
        if task == "tabular-classification":
            text = self.checks.text({"label": label}, "label", reason="missing_label")
            return cells | {"label": text.strip()}
        number = typed(label, "number", self._label)
        if number is None:
            raise BadRowError("missing_label", f"column {self._label!r} is empty")
        return cells | {"label": number}
