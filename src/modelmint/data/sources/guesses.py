"""What the columns of a plain table are for, guessed from their names and their first cells. For `peek`: a suggestion."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelmint.data.sources.cell_types import Kinds, is_missing
from modelmint.data.sources.places import SPLITS

_TEXT_NAMES = re.compile(
    r"^(text|texts|sentence|review|reviews|review_?text|comment|content|body|message|msg|sms|tweet|question|query|utterance|"
    r"title|headline|description|document|doc|abstract|passage|input|post|email|news|文本|内容|评论|句子|标题|问题|正文|v2)$",
    re.IGNORECASE,
)
_LABEL_NAMES = re.compile(
    r"^(label|labels|class|class_?name|category|categories|target|intent|sentiment|polarity|tag|topic|y|outcome|result|"
    r"stars?|rating|score|churn|default|survived|species|is_[a-z]+|标签|类别|分类|情感|意图|v1)$",
    re.IGNORECASE,
)
_ID_NAMES = re.compile(r"^(_?id|idx|index|uuid|guid|row_?id|.*_id|.*id|no\.?|unnamed: ?\d+|)$")
_PAIRS = (("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("text", "text_pair"), ("text_a", "text_b"), ("query", "passage"))  # fmt: skip
_OURS = {
    "question-answering": ("question", "context", "answer"),
    "token-classification": ("tokens", "tags"),
    "chat": ("messages",),
    "preference": ("chosen", "rejected"),
    "text-retrieval": ("query", "positive"),
    "image-classification": ("image", "label"),
    "audio-classification": ("audio", "label"),
}
_LISTS, _FILES = {"token-classification", "chat"}, {"image-classification", "audio-classification"}
_TAKEN = {
    "user": ("user", "userid", "customer", "customerid", "用户"),
    "item": ("item", "itemid", "movieid", "productid", "articleid", "商品", "物品"),
    "rating": ("rating", "score", "stars", "评分"),
    "time": ("time", "timestamp", "date", "datetime", "时间"),
}
_TARGETS = ("target", "summary", "translation", "output", "response", "highlights", "title")
_TEXT_CHARS = 20
_NUMBER_CLASSES = 20
_FEW_VALUES = 10


@dataclass(frozen=True, kw_only=True)
class ColumnGuess:
    """What one column looks like."""

    name: str
    kind: str
    """number, integer, text, list, object or bytes."""
    missing: int
    num_chars: float
    """Mean length of its filled cells."""
    num_distinct: int
    num_filled: int
    examples: tuple[str, ...]
    values: tuple[str, ...]
    """Every value where there are few, else none."""

    @property
    def is_prose(self) -> bool:
        """Whether its cells are sentences: long or of several words, and mostly different."""
        return self.kind == "text" and self.num_chars >= _TEXT_CHARS and self.num_distinct * 2 > self.num_filled

    @property
    def is_nested(self) -> bool:
        """Whether its cells are no plain values."""
        return self.kind in {"list", "object", "bytes"}

    @property
    def is_class(self) -> bool:
        """Whether few different values stand in it, again and again."""
        return 2 <= self.num_distinct <= max(2, self.num_filled // 2) and self.kind in {"text", "integer"}


def look(sample: Sequence[Mapping[str, Any]]) -> list[ColumnGuess]:
    """Each column of the sample, in order."""
    names = list(dict.fromkeys(name for record in sample for name in record))
    kinds = Kinds(names)
    for record in sample:
        kinds.see(record)
    found = kinds.found(whole=True)
    return [_look(name, sample, found[name]) for name in names]


def guess(columns: Sequence[ColumnGuess]) -> dict[str, Any]:
    """The fields of a collect spec that make sense of plain columns: `task` and the columns it needs."""
    split = split_of(columns)
    usable = {column.name: column for column in columns if not is_id(column) and column.name != split}
    label = _best_label(list(usable.values()))
    if known := _named_as_ours(columns) or _who_took_what(columns):
        return known
    for first, second in _PAIRS:
        lower = {name.lower(): name for name in usable}
        if first in lower and second in lower and label is not None:
            return {
                "task": "text-pair-classification",
                "text": lower[first],
                "text_pair": lower[second],
                "label": label.name,
            }
    prose = [column for column in usable.values() if _is_text(column) and column is not label]
    prose.sort(key=lambda column: (_TEXT_NAMES.match(column.name) is None, -column.num_chars))
    if not prose:
        return _table(usable, label, columns)
    if label is not None:
        return {"task": "text-classification", "text": prose[0].name, "label": label.name}
    if len(prose) > 1:
        target = next((one for one in prose if one.name.lower() in _TARGETS), None)
        order = [one for one in columns if one in prose]
        text = next(one for one in (prose if target else order) if one is not target)
        other = target or next(one for one in order if one is not text)
        return {"task": "text2text-generation", "text": text.name, "target": other.name}
    return {"task": "text-generation", "text": prose[0].name}


def _named_as_ours(columns: Sequence[ColumnGuess]) -> dict[str, Any]:
    """The task whose own columns stand there, under our names; empty where it is none that can be told by them."""
    there = {column.name: column for column in columns}
    for task, names in _OURS.items():
        if not there.keys() >= set(names):
            continue
        first = there[names[0]]
        is_list = first.kind == "list" or all(example.lstrip().startswith("[") for example in first.examples)
        if (task not in _LISTS or is_list) and (task not in _FILES or first.kind == "bytes"):
            return {"task": task}
    return {}


def _who_took_what(columns: Sequence[ColumnGuess]) -> dict[str, Any]:
    """The fields of a recommendation, where some columns say who took what; empty elsewhere."""
    others = [column for column in columns if column.name.lower() not in _TAKEN["rating"]]
    if any(column.is_prose or column.is_nested for column in columns) or any(
        _LABEL_NAMES.match(one.name) for one in others
    ):
        return {}
    found: dict[str, Any] = {}
    for role, names in _TAKEN.items():
        fit = [one for one in columns if role != "rating" or one.kind in ("number", "integer")]
        lower = {column.name.lower().replace("_", ""): column.name for column in fit}
        given = next((lower[name] for name in names if name in lower), None)
        if given is None and role in ("user", "item"):
            return {}
        if given is not None:
            found[role] = given
    return {"task": "recommendation", **found}


def split_of(columns: Sequence[ColumnGuess]) -> str | None:
    """The column whose values are names of splits."""
    fits = (
        one.name for one in columns if one.values and {value.strip().lower() for value in one.values} <= SPLITS.keys()
    )
    return next(fits, None)


def is_id(column: ColumnGuess) -> bool:
    """Whether a column's name and values are those of a row's number or key: nothing can be learned from it."""
    alike = column.num_distinct == column.num_filled and column.num_filled > 10
    return bool(_ID_NAMES.match(column.name.lower())) and (alike or not column.name) and not column.is_prose


def _table(
    usable: Mapping[str, ColumnGuess], label: ColumnGuess | None, columns: Sequence[ColumnGuess]
) -> dict[str, Any]:
    plain = [one for one in columns if not one.is_nested]
    named = next((one for one in usable.values() if _LABEL_NAMES.match(one.name) and not one.is_nested), None)
    chosen = named or label or (plain[-1] if plain else None)
    if chosen is None:
        return {}
    number = chosen.kind in {"number", "integer"} and chosen.num_distinct > _NUMBER_CLASSES
    told: dict[str, Any] = {"task": "tabular-regression" if number else "tabular-classification", "label": chosen.name}
    if len(usable) < len(columns):
        told["features"] = tuple(name for name in usable if name != chosen.name)
    return told


def _best_label(columns: Sequence[ColumnGuess]) -> ColumnGuess | None:
    """The column of classes: by its name, else the last that has few different values."""
    columns = [one for one in columns if not one.is_nested]
    named = [one for one in columns if _LABEL_NAMES.match(one.name) and not one.is_prose and one.num_distinct > 1]
    if named:
        return named[0]
    classes = [one for one in columns if one.is_class and not _TEXT_NAMES.match(one.name)]
    return classes[-1] if classes else None


def _is_text(column: ColumnGuess) -> bool:
    return column.is_prose or (
        column.kind == "text" and _TEXT_NAMES.match(column.name) is not None and not column.is_class
    )


def _look(name: str, sample: Sequence[Mapping[str, Any]], kind: str) -> ColumnGuess:
    cells = [record.get(name) for record in sample]
    filled = [cell for cell in cells if not is_missing(cell)]
    for python, said in ((list, "list"), (dict, "object"), (bytes, "bytes")):
        if filled and isinstance(filled[0], python):
            kind = said
    written = [_written(cell) for cell in filled]
    distinct = tuple(dict.fromkeys(written))
    return ColumnGuess(
        name=name,
        kind=kind,
        missing=len(cells) - len(filled),
        num_chars=sum(map(len, written)) / max(len(written), 1) * (2.0 if _wide(written) else 1.0),
        num_distinct=len(distinct),
        num_filled=len(filled),
        examples=tuple(one[:80] for one in distinct[:3]),
        values=distinct if len(distinct) <= _FEW_VALUES else (),
    )


def _written(cell: Any) -> str:
    return f"({len(cell):,} bytes)" if isinstance(cell, bytes) else str(cell)


def _wide(written: Sequence[str]) -> bool:
    """Whether a text is in a script whose signs say more each: a Chinese sentence is a third as long as an English one."""
    letters = "".join(written[:50])
    return sum("\u3040" <= letter <= "\u9fff" for letter in letters) * 3 > len(letters) > 0
