"""How long rows are in the tokens of a base, what is cut off, and what training on them will take."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS, Form
from modelmint.data.inspection.targets import UNITS, Measure, Row, Ruler, measure

_NUM_BINS = 20
_NUM_SHOWN = 2
_SHOWN_CHARS = 1500


class Lengths:
    """Counts tokens of rows as they pass; every `stride`-th row is measured. Lengths include the special tokens."""

    def __init__(
        self, *, base: str, max_tokens: int | None, stride: int = 1, form: Form = FORMS["text-classification"]
    ) -> None:
        """Without `max_tokens` the limit is that of the base.

        Raises:
            InputError, UnavailableError: the base cannot be had.
            DataError: its chat template is no template.
        """
        from tokenizers import Tokenizer

        from modelmint.core.chat_template import CHATML_MARKS, chat_template
        from modelmint.training.bases import resolve

        self.base = found = resolve(base)
        self._form, self._stride, self._num_seen = form, max(stride, 1), 0
        self._template = chat_template(found.folder)
        tokenizer = Tokenizer.from_file(str(found.folder / "tokenizer.json"))
        if form.task in ("chat", "preference") and not self._template.own:
            tokenizer.add_special_tokens(list(CHATML_MARKS))  # as training does
        self._ruler = Ruler(tokenizer, max_tokens or found.max_tokens, self._template)
        self._lengths: list[int] = []
        self._num_measured = self._num_unknown = self._num_known = self._num_mute = 0
        self._targets = self._kept = self._rows_cut = self._num_untrainable = self._num_refused = 0
        self._refusal = ""
        self._shown: list[dict[str, Any]] = []

    def see(self, batch: pa.RecordBatch) -> None:
        """Measure the next rows."""
        places = pa.array(range(-self._num_seen % self._stride, batch.num_rows, self._stride), pa.int64())
        self._num_seen += batch.num_rows
        rows = batch.take(places).to_pylist()
        if self._form.task in ("chat", "preference") and len(self._shown) < _NUM_SHOWN:
            self._show(rows)
        for one in measure(self._ruler, self._form.task, rows):
            self._count(one)

    def tokens(self) -> dict[str, Any]:
        """Percentiles and a histogram of lengths; the share of tokens that the base does not know."""
        if not self._lengths:
            return {}
        lengths = np.array(self._lengths)
        counts, edges = np.histogram(lengths, bins=_edges(int(lengths.max())))
        return {
            **{f"p{share}": int(np.percentile(lengths, share, method="nearest")) for share in (50, 90, 95, 99)},
            "max": int(lengths.max()),
            "mean": round(float(lengths.mean()), 2),
            "rows_measured": len(lengths),
            "unknown_share": round(self._num_unknown / max(self._num_unknown + self._num_known, 1), 4),
            "rows_without_token": self._num_mute,
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        }

    def truncated(self) -> dict[str, Any]:
        """Rows longer than the limit; `rows` is scaled up where not every row was measured."""
        if not self._lengths:
            return {}
        share = float((np.array(self._lengths) > self._ruler.limit).mean())
        return {"rows": self._scaled(share), "share": round(share, 4), "limit": self._ruler.limit}

    def targets(self) -> dict[str, Any]:
        """What is lost of what the rows teach: tokens, tags or answers beyond the limit.

        `rows_untrainable` (scaled up as in `truncated`) have nothing within the limit that can be learned.
        """
        if not self._num_measured:
            return {}
        untrainable = self._num_untrainable / self._num_measured
        body = {"rows_untrainable": self._scaled(untrainable), "untrainable_share": round(untrainable, 4)}
        if self._form.task not in UNITS:
            return {"unit": "", **body}
        lost = self._targets - self._kept
        return {
            "unit": UNITS[self._form.task],
            "total": self._targets,
            "lost": lost,
            "share": round(lost / max(self._targets, 1), 4),
            "rows_cut": self._scaled(self._rows_cut / self._num_measured),
            **body,
        }

    def template(self) -> dict[str, Any]:
        """The chat template at work: whether it is the base's own, some rows through it, the rows that it refuses."""
        if self._form.task not in ("chat", "preference"):
            return {}
        return {
            "own": self._template.own,
            "shown": self._shown,
            "refused": self._num_refused,
            "says": self._refusal,
        }

    def _count(self, one: Measure) -> None:
        self._num_measured += 1
        self._num_untrainable += not one.trainable
        if one.refused:
            self._num_refused += 1
            self._refusal = self._refusal or one.refused
            return
        num_known = one.num_tokens - one.num_special - one.num_unknown
        self._lengths.append(one.num_tokens)
        self._num_unknown += one.num_unknown
        self._num_known += num_known
        self._num_mute += num_known <= 0
        self._targets += one.targets
        self._kept += one.kept
        self._rows_cut += one.kept < one.targets

    def _show(self, rows: Sequence[Row]) -> None:
        for row in rows[: _NUM_SHOWN - len(self._shown)]:
            try:
                if self._form.task == "chat":
                    text, spans = self._template.taught(row["messages"] or [], row.get("tools"))
                else:
                    text, spans = self._template.answer(row["prompt"] or [], row["chosen"] or [])
            except DataError:
                continue
            cut = [[start, min(end, _SHOWN_CHARS)] for start, end in spans if start < _SHOWN_CHARS]
            more = "…" if len(text) > _SHOWN_CHARS else ""
            self._shown.append({"text": text[:_SHOWN_CHARS] + more, "taught": cut})

    def _scaled(self, share: float) -> int:
        return round(share * self._num_seen)


def _edges(longest: int) -> list[int]:
    width = max(1, -(-(longest + 1) // _NUM_BINS))
    return list(range(0, width * _NUM_BINS + 1, width))
