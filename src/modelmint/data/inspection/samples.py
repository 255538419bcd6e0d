"""Texts drawn evenly from rows as they pass, and what is looked for in them: their languages, personal data."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from modelmint.core import forms, tables
from modelmint.core.forms import Form
from modelmint.core.language.languages import UNKNOWN, languages_of, primary
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset

MAX_CHARS = 10_000
"""How much of one row is looked at."""
CHUNK = 200
NO_TEXT = ("image-classification", "audio-classification", "recommendation")
MIN_SHARE = 0.01
"""A language that fewer of the rows are in is more likely a mistake of ours: short texts are hard to tell."""


class Sample:
    """Every so many-th row's content, at most `max_rows` of `num_rows`."""

    def __init__(self, form: Form, *, num_rows: int, max_rows: int) -> None:
        self._form, self._stride, self._num_seen = form, max(1, -(-num_rows // max_rows)), 0
        self.texts: list[str] = []

    def see(self, batch: pa.RecordBatch) -> None:
        """Draw from the next rows."""
        places = range(-self._num_seen % self._stride, batch.num_rows, self._stride)
        self._num_seen += batch.num_rows
        if places and self._form.task not in NO_TEXT:
            drawn = batch.take(pa.array(places, pa.int64()))
            self.texts += [text[:MAX_CHARS] for text in forms.contents(drawn, self._form)]

    def languages(self, known: Sequence[str]) -> dict[str, Any]:
        """The languages found, and the share of rows in one that the base does not know.

        Args:
            known: ISO 639-1 codes of the base; none where nothing says them, and then no share is given.
        """
        if not self.texts or self._form.task.startswith("tabular"):
            return {}
        counts = Counter(primary(tag) for tag, _ in languages_of(self.texts))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        body: dict[str, Any] = {
            "looked_at": len(self.texts),
            "found": {name: round(count / len(self.texts), 4) for name, count in ranked},
            "base": list(known),
        }
        if not known:
            return body
        base = {primary(one) for one in known}
        foreign = {name: count for name, count in ranked if name not in base and name != UNKNOWN}
        shown = [name for name, count in foreign.items() if count >= MIN_SHARE * len(self.texts)]
        rows = sum(foreign.values())
        return body | {"foreign": shown, "rows": rows, "share": round(rows / len(self.texts), 4)}

    def personal(self, ctx: StageContext, stand_ins: Collection[str]) -> dict[str, Any]:
        """Personal data by kind, how many rows hold some, of how many looked at.

        Args:
            stand_ins: kinds that `deidentify` has replaced by stand-ins, which look the same: they are counted apart.
        """
        if not self.texts:
            return {}
        from modelmint.data.personal.search import count_personal

        found: Counter[str] = Counter()
        rows = 0
        for start in range(0, len(self.texts), CHUNK):
            ctx.check()
            ctx.say(start, len(self.texts), f"{start:,} rows looked at for personal data")
            for text in self.texts[start : start + CHUNK]:
                inside = count_personal([text])
                found.update(inside)
                rows += bool(inside.keys() - set(stand_ins))
        body: dict[str, Any] = {"looked_at": len(self.texts), "rows": rows}
        replaced = {kind: num for kind, num in sorted(found.items()) if kind in stand_ins}
        body |= {"found": {kind: num for kind, num in sorted(found.items()) if kind not in stand_ins}}
        return body | ({"stand_ins": replaced} if replaced else {})


def languages_in(data: Dataset, *, max_rows: int = 500) -> dict[str, float]:
    """The share of rows in each language, the largest first; empty where rows hold no text for people."""
    form = forms.form_of(data)
    drawn = Sample(form, num_rows=data.num_rows, max_rows=max_rows)
    if form.task in NO_TEXT or form.task.startswith("tabular"):
        return {}
    names = {path.split(".")[0] for path in form.texts} & set(data.facts["columns"])
    for batch in tables.batches(data, sorted(names)):
        drawn.see(batch)
    found: dict[str, float] = drawn.languages(()).get("found", {})
    return found
