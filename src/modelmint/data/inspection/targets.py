"""How long rows are in the tokens of a base, and how much of what they teach lies beyond the limit.

What a row teaches (its targets) depends on the task: of a chat it is what the assistant says, of a sentence with tags
the tags that are not ``O``, of a question the place of its answer. A label is whole however short its text is cut.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modelmint.core.errors import DataError

UNKNOWN = ("[UNK]", "<unk>", "<|unk|>")
CHUNK_ROWS = 256
"""Rows that are in tokens at a time."""

Row = Mapping[str, Any]
Span = tuple[int, int]
"""The characters of a text from one place up to another."""


class Template(Protocol):
    """What is asked of a chat template (`core.chat_template.ChatTemplate`)."""

    def taught(self, messages: Sequence[Row], tools: str | None = None) -> tuple[str, list[Span]]: ...
    def answer(self, prompt: Sequence[Row], said: Sequence[Row]) -> tuple[str, list[Span]]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One row. Tokens are counted with the special ones."""

    num_tokens: int
    num_unknown: int = 0
    num_special: int = 0
    targets: int = 0
    kept: int = 0
    """How many of the targets are within the limit."""
    trainable: bool = True
    """Something that can be learned is within the limit."""
    refused: str = ""
    """What the chat template said against the row."""


class Ruler:
    """A base's tokenizer, its chat template and a limit of tokens."""

    def __init__(self, tokenizer: Any, limit: int, template: Template) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.limit, self.template, self._tokenizer = limit, template, tokenizer
        self.unknown = next((i for name in UNKNOWN if (i := tokenizer.token_to_id(name)) is not None), -1)
        self.num_special = int(tokenizer.num_special_tokens_to_add(is_pair=False))
        # A tokenizer that knows no pairs says 0.
        self.num_special_pair = max(self.num_special, int(tokenizer.num_special_tokens_to_add(is_pair=True)))

    def encode(self, given: Sequence[Any], *, words: bool = False) -> Iterator[Any]:
        """Encodings without special tokens, of texts or of lists of words."""
        for start in range(0, len(given), CHUNK_ROWS):
            yield from self._tokenizer.encode_batch(
                list(given[start : start + CHUNK_ROWS]), is_pretokenized=words, add_special_tokens=False
            )


def measure(ruler: Ruler, task: str, rows: Sequence[Row]) -> Iterator[Measure]:
    """Measure rows in the canonical form of a task (`core.forms`); none for a task whose rows hold no text to read."""
    return _MEASURES[task](ruler, rows) if task in _MEASURES else iter(())


UNITS = {
    "text-generation": "tokens",
    "text2text-generation": "target tokens",
    "token-classification": "entity tags",
    "question-answering": "answers",
    "chat": "assistant tokens",
    "preference": "answer tokens",
}
"""What the targets of a task are called; none where a row has one label."""


def _texts(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    for encoding in ruler.encode([row["text"] or "" for row in rows]):
        yield _plain(ruler, encoding.ids)


def _pairs(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    firsts, seconds = ([row[name] or "" for row in rows] for name in ("text", "text_pair"))
    for first, second in zip(ruler.encode(firsts), ruler.encode(seconds), strict=True):
        yield _plain(ruler, [*first.ids, *second.ids], num_special=ruler.num_special_pair)


def _retrievals(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    """The longest of its texts: each is read by itself."""
    names = [name for name in ("query", "positive", "negative") if rows and name in rows[0]]
    columns = [ruler.encode([row[name] or "" for row in rows]) for name in names]
    for encodings in zip(*columns, strict=True):
        yield _plain(ruler, max((one.ids for one in encodings), key=len))


def _generations(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    for encoding in ruler.encode([row["text"] or "" for row in rows]):
        kept = min(len(encoding.ids), ruler.limit - ruler.num_special)
        yield _plain(ruler, encoding.ids, targets=len(encoding.ids), kept=kept)


def _transductions(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    sources, targets = ([row[name] or "" for row in rows] for name in ("text", "target"))
    for source, target in zip(ruler.encode(sources), ruler.encode(targets), strict=True):
        kept = min(len(target.ids), ruler.limit - ruler.num_special)
        yield _plain(ruler, source.ids, targets=len(target.ids), kept=kept)


def _tagged(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    room = ruler.limit - ruler.num_special
    for row, encoding in zip(rows, ruler.encode([row["tokens"] or [] for row in rows], words=True), strict=True):
        tags = [tag != "O" for tag in row["tags"] or []]
        # The tag of a word is learned at its first token.
        whole = len(encoding.ids) <= room
        num_words = len(tags) if whole else encoding.token_to_word(room - 1) + 1
        yield _plain(ruler, encoding.ids, targets=sum(tags), kept=sum(tags[:num_words]))


def _answered(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    """A question and its context in one; the context is what is cut."""
    questions, contexts = ([row[name] or "" for row in rows] for name in ("question", "context"))
    for row, question, context in zip(rows, ruler.encode(questions), ruler.encode(contexts), strict=True):
        start, answer = row.get("answer_start"), row.get("answer") or ""
        asked = answer != "" and start is not None and start >= 0
        last = _last_token(context, start, answer) if asked and start is not None else None
        room = ruler.limit - ruler.num_special_pair - len(question.ids)
        yield _plain(
            ruler,
            [*question.ids, *context.ids],
            num_special=ruler.num_special_pair,
            targets=int(asked),
            kept=int(last is not None and last < room),
            trainable=not asked or (last is not None and last < room),
        )


def _last_token(encoding: Any, start: int, text: str) -> int | None:
    return _token_at(encoding, range(start + len(text) - 1, start - 1, -1))


def _chats(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    def write(row: Row) -> tuple[str, list[Span]]:
        return ruler.template.taught(row["messages"] or [], row.get("tools"))

    return _taught(ruler, [_written(write, row) for row in rows])


def _preferences(ruler: Ruler, rows: Sequence[Row]) -> Iterator[Measure]:
    """The longer of the two; the tokens of both answers."""

    def chosen_side(row: Row) -> tuple[str, list[Span]]:
        return ruler.template.answer(row["prompt"] or [], row["chosen"] or [])

    def rejected_side(row: Row) -> tuple[str, list[Span]]:
        return ruler.template.answer(row["prompt"] or [], row["rejected"] or [])

    sides = [_taught(ruler, [_written(write, row) for row in rows]) for write in (chosen_side, rejected_side)]
    for chosen, rejected in zip(*sides, strict=True):
        yield Measure(
            num_tokens=max(chosen.num_tokens, rejected.num_tokens),
            num_unknown=max(chosen, rejected, key=lambda one: one.num_tokens).num_unknown,
            targets=chosen.targets + rejected.targets,
            kept=chosen.kept + rejected.kept,
            trainable=chosen.trainable and rejected.trainable,
            refused=chosen.refused or rejected.refused,
        )


def _written(write: Callable[[Row], tuple[str, list[Span]]], row: Row) -> tuple[str, list[Span], str]:
    """The text of a chat, what of it is taught, and what the template said where it refuses the chat."""
    try:
        return (*write(row), "")
    except DataError as error:
        return "", [], error.message


def _taught(ruler: Ruler, written: Sequence[tuple[str, list[Span], str]]) -> Iterator[Measure]:
    """A template writes its special tokens itself."""
    for (_, spans, refused), encoding in zip(written, ruler.encode([text for text, _, _ in written]), strict=True):
        targets = kept = 0
        for start, end in spans:
            first, last = _token_at(encoding, range(start, end)), _token_at(encoding, range(end - 1, start - 1, -1))
            if first is not None and last is not None:
                targets += last - first + 1
                kept += max(0, min(last + 1, ruler.limit) - first)
        yield Measure(
            num_tokens=len(encoding.ids),
            num_unknown=encoding.ids.count(ruler.unknown),
            targets=targets,
            kept=kept,
            trainable=kept > 0,
            refused=refused,
        )


def _token_at(encoding: Any, places: Iterable[int]) -> int | None:
    """The token at the first of these characters that is in one; white space may be in none."""
    return next((token for place in places if (token := encoding.char_to_token(place)) is not None), None)


def _plain(
    ruler: Ruler,
    ids: Sequence[int],
    *,
    num_special: int | None = None,
    targets: int = 0,
    kept: int = 0,
    trainable: bool = True,
) -> Measure:
    num_special = ruler.num_special if num_special is None else num_special
    num_unknown = list(ids).count(ruler.unknown)
    return Measure(
        num_tokens=len(ids) + num_special,
        num_unknown=num_unknown,
        num_special=num_special,
        targets=targets,
        kept=kept,
        trainable=trainable and len(ids) > num_unknown,
    )


_MEASURES: dict[str, Callable[[Ruler, Sequence[Row]], Iterator[Measure]]] = {
    "text-classification": _texts,
    "text-pair-classification": _pairs,
    "multi-label-classification": _texts,
    "text-regression": _texts,
    "text-generation": _generations,
    "text2text-generation": _transductions,
    "text-retrieval": _retrievals,
    "token-classification": _tagged,
    "question-answering": _answered,
    "chat": _chats,
    "preference": _preferences,
}
