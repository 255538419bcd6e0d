"""One record of a source -> the canonical cells of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelmint.core.forms import JOINED_BY, PAIR
from modelmint.data.sources.cell_types import is_missing, typed
from modelmint.data.sources.checks import BadRowError, Checks, Record, listed
from modelmint.data.sources.dialects import Dialect
from modelmint.data.sources.rows import cell_text
from modelmint.data.splitting.times import seconds_of

if TYPE_CHECKING:
    from modelmint.data.collect import CollectSpec


class Converter:
    """Converts and checks the records of one source."""

    def __init__(
        self, spec: CollectSpec, dialect: Dialect, *, names: Mapping[str, str], types: Mapping[str, str], encoding: str
    ) -> None:
        self.checks = Checks(max_cell_chars=spec.max_cell_chars, encoding=encoding, names=names)
        self._dialect, self._types, self._label = dialect, types, spec.label
        self._separator = spec.labels_separator

    def canonical(self, record: Record) -> Mapping[str, Any]:
        """The canonical cells.

        Raises:
            BadRowError: the record does not fit the task's form.
        """
        task = self._dialect.task
        if task in _OF_TEXT:
            return _OF_TEXT[task](self, self._dialect.convert(record))
        if task == "recommendation":
            return self._behaviour(self._dialect.convert(record))
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
        return cells | {"label": self._number(label)}

    def _number(self, label: Any) -> float:
        number = typed(label, "number", self._label)
        if number is None:
            raise BadRowError("missing_label", f"column {self._label!r} is empty")
        return float(number)

    def _text_and_number(self, record: Record) -> dict[str, Any]:
        return {"text": self.checks.text(record, "text"), "label": self._number(record.get("label"))}

    def _text_and_labels(self, record: Record) -> dict[str, Any]:
        """The labels are a list, JSON text of one, or text with a sign between them; none is a set too."""
        checks, given = self.checks, record.get("labels")
        text = checks.text(record, "text")
        names = listed(given)
        if names is None:
            if not isinstance(given, str | int | float | None):
                raise BadRowError("bad_type", f"{checks.name('labels')!r} must be a list of labels")
            names = (cell_text(given) or "").split(self._separator)
        labels = [(cell_text(name) or "").strip() for name in names if isinstance(name, str | int | float)]
        if len(labels) < len(names):
            raise BadRowError("bad_type", f"each of {checks.name('labels')!r} must be a label, as text")
        for label in labels:
            checks.plain(label)
            if JOINED_BY in label:
                raise BadRowError("bad_label", f"a label must not hold {JOINED_BY!r}; is {label[:60]!r}")
        return {"text": text, "labels": list(dict.fromkeys(label for label in labels if label))}

    def _behaviour(self, record: Record) -> dict[str, Any]:
        """Who took what, perhaps when and how it was rated; a time in seconds since 1970."""
        checks = self.checks
        row: dict[str, Any] = {name: checks.text(record, name, reason="missing_id").strip() for name in PAIR}
        row["rating"] = typed(record.get("rating"), "number", checks.name("rating"))
        time = record.get("time")
        row["time"] = None if is_missing(time) else seconds_of(time)
        if row["time"] is None and not is_missing(time):
            said = f"{checks.name('time')!r} must be a date or an epoch number; is {str(time)[:40]!r}"
            raise BadRowError("bad_time", said)
        return row


_OF_TEXT: Mapping[str, Callable[[Converter, Record], dict[str, Any]]] = {
    "multi-label-classification": Converter._text_and_labels,
    "text-regression": Converter._text_and_number,
}
