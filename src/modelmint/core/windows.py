"""Texts longer than a model reads, in windows that overlap: nothing of them is lost, and nothing is counted twice.

A token is judged in the window in which it stands farthest from an edge. Imports no PyTorch.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from modelmint.core.capitals import capitals
from modelmint.core.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """Tokens `start` to `end` of a text; those from `first` to `last` are judged in this window. Ends are exclusive."""

    start: int
    end: int
    first: int
    last: int


def cuts(num_tokens: int, room: int, overlap: int) -> list[Cut]:
    """The windows of a text; none for a text without tokens.

    Args:
        room: tokens that fit into a window.
        overlap: tokens that two neighbours share, at most half of `room`.
    """
    if num_tokens <= room:
        return [Cut(start=0, end=num_tokens, first=0, last=num_tokens)] if num_tokens else []
    overlap = min(overlap, room // 2)
    starts = [*range(0, num_tokens - room, room - overlap), num_tokens - room]
    # The boundary between two windows is the middle of what they share.
    bounds = [0, *((left + room + right + 1) // 2 for left, right in itertools.pairwise(starts)), num_tokens]
    return [
        Cut(start=start, end=start + room, first=first, last=last)
        for start, first, last in zip(starts, bounds, bounds[1:], strict=False)
        if first < last
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A window of a row of words: its token ids with the special ones, and the words that are judged in it.

    `places` are the positions of the first tokens of `words` in `token_ids`, `capitals` is the type of each token
    (`core.capitals`).
    """

    row: int
    token_ids: list[int]
    capitals: list[int]
    words: list[int]
    places: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The special tokens around a text or a pair, read off encodings, since tokenizers say it nowhere."""

    ahead: list[int]
    between: list[int]
    behind: list[int]
    second_type: int
    """The type of the second text's tokens: 1 for BERT, 0 for most others."""

    @classmethod
    def of(cls, tokenizer: Any) -> Self:
        pair = tokenizer.encode("a", "a")
        inner = [at for at, special in enumerate(pair.special_tokens_mask) if not special]
        single = tokenizer.encode("a")
        alone = [at for at, special in enumerate(single.special_tokens_mask) if not special]
        if not inner or not alone:  # a tokenizer that does not know the letter
            return cls(ahead=[], between=[], behind=[], second_type=0)
        ahead, behind = list(single.ids[: alone[0]]), list(single.ids[alone[-1] + 1 :])
        gap = next((at for at in range(inner[0], inner[-1]) if at not in inner), None)
        if gap is None:  # no template for pairs: the end of the first text tells them apart
            return cls(ahead=ahead, between=behind, behind=behind, second_type=0)
        second = next(at for at in inner if at > gap)
        return cls(ahead=ahead, between=list(pair.ids[gap:second]), behind=behind, second_type=pair.type_ids[second])


def open_plain(folder: Path) -> Any:
    """The folder's tokenizer, which neither cuts nor pads; words given one by one are read as after a space."""
    from tokenizers import Tokenizer, pre_tokenizers

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel):
        tokenizer.pre_tokenizer.add_prefix_space = True
    return tokenizer


class WordWindows:
    """Rows of words to windows of token ids."""

    def __init__(self, folder: Path, max_tokens: int, overlap: int) -> None:
        """Raises InputError where `max_tokens` leaves no room for a token."""
        self._tokenizer, self._overlap = open_plain(folder), overlap
        self._frame = Frame.of(self._tokenizer)
        self._room = max_tokens - len(self._frame.ahead) - len(self._frame.behind)
        if self._room < 1:
            raise InputError(
                f"max_tokens: must leave room for a token beside {max_tokens - self._room} special ones; got {max_tokens}",
                parameter="max_tokens",
            )

    @property
    def reads_small_letters(self) -> bool:
        """The tokenizer does not tell capitals from small letters."""
        one, other = (self._tokenizer.encode(text, add_special_tokens=False) for text in ("Ab AB", "ab ab"))
        return bool(one.ids == other.ids)

    def of(self, rows: Sequence[Sequence[str]]) -> list[Window]:
        """Every window in which a word is judged, row by row; a word that the tokenizer drops is in none."""
        encodings = self._tokenizer.encode_batch(
            [list(words) for words in rows], is_pretokenized=True, add_special_tokens=False
        )
        return [
            window
            for row, encoding in enumerate(encodings)
            for window in self._of_row(row, rows[row], encoding)
            if window.words
        ]

    def _of_row(self, row: int, words: Sequence[str], encoding: Any) -> list[Window]:
        first: dict[int, int] = {}
        types = [0] * len(encoding.ids)
        for at, word in enumerate(encoding.word_ids):
            if word is not None:
                first.setdefault(word, at)
                types[at] = capitals(words[word], encoding.offsets[at : at + 1])[0]
        ahead, behind = self._frame.ahead, self._frame.behind
        return [
            Window(
                row=row,
                token_ids=[*ahead, *encoding.ids[cut.start : cut.end], *behind],
                capitals=[*[0] * len(ahead), *types[cut.start : cut.end], *[0] * len(behind)],
                words=[word for word, at in first.items() if cut.first <= at < cut.last],
                places=[len(ahead) + at - cut.start for at in first.values() if cut.first <= at < cut.last],
            )
            for cut in cuts(len(encoding.ids), self._room, self._overlap)
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A question with a part of its context: ``[ahead] question [between] context [behind]``.

    `place` is the position of the context's first token in `token_ids`, `offsets` are the letters of the whole context
    (start, end) that each token of this part stands for, `second_type` is the type of its tokens and of those behind.
    """

    row: int
    token_ids: list[int]
    place: int
    offsets: list[tuple[int, int]]
    second_type: int

    @property
    def type_ids(self) -> list[int]:
        """One a token: 0 for the question's part, `second_type` for the context's."""
        return [0] * self.place + [self.second_type] * (len(self.token_ids) - self.place)

    def span(self, start: int, text: str) -> tuple[int, int]:
        """The positions of the first and the last token of `text`, which begins at letter `start`; else (0, 0).

        (0, 0), the first token, says that it does not stand here, or not whole; so does a `start` below 0.
        """
        end = start + len(text)
        inside = [at for at, (first, last) in enumerate(self.offsets) if first < end and last > start]
        if start < 0 or not inside or self.offsets[0][0] > start or self.offsets[-1][1] < end:
            return 0, 0
        return self.place + inside[0], self.place + inside[-1]


class PassageWindows:
    """Questions and contexts to windows of token ids."""

    def __init__(self, folder: Path, max_tokens: int, *, overlap: int, max_question_tokens: int) -> None:
        """Raises InputError where `max_tokens` leaves no room for a question and a context."""
        self._tokenizer, self._overlap = open_plain(folder), overlap
        self._frame = Frame.of(self._tokenizer)
        num_special = len(self._frame.ahead) + len(self._frame.between) + len(self._frame.behind)
        self._room = max_tokens - num_special
        self._max_question = min(max_question_tokens, self._room // 2)
        if self._max_question < 1:
            raise InputError(
                f"max_tokens: must leave room for a question and a context beside {num_special} special tokens; got "
                f"{max_tokens}",
                parameter="max_tokens",
            )

    def of(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Passage]:
        """Every window, row by row; a context without a token has one, which is empty."""
        asked = self._tokenizer.encode_batch(list(questions), add_special_tokens=False)
        once = list(dict.fromkeys(contexts))  # several questions are asked of one context
        read = dict(zip(once, self._tokenizer.encode_batch(once, add_special_tokens=False), strict=True))
        return [
            passage
            for row, (question, context) in enumerate(zip(asked, contexts, strict=True))
            for passage in self._of_row(row, question.ids[: self._max_question], read[context])
        ]

    def _of_row(self, row: int, question: list[int], context: Any) -> list[Passage]:
        frame, offsets = self._frame, context.offsets
        begin = [*frame.ahead, *question, *frame.between]
        parts = cuts(len(context.ids), self._room - len(question), self._overlap)
        return [
            Passage(
                row=row,
                token_ids=[*begin, *context.ids[cut.start : cut.end], *frame.behind],
                place=len(begin),
                offsets=offsets[cut.start : cut.end],
                second_type=frame.second_type,
            )
            for cut in parts or [Cut(start=0, end=0, first=0, last=0)]
        ]
