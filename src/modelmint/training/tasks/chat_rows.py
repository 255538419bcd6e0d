"""Chats as token ids, with a mask of what is taught. Imports no PyTorch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from modelmint.core.chat_template import CHATML_MARKS, ChatTemplate, Message, Span, chat_template, fitting, prompt_ids
from modelmint.core.errors import DataError

LossOn: TypeAlias = Literal["answers", "last-answer", "everything"]
Shorten: TypeAlias = Literal["turns", "left"]
CHUNK_ROWS = 256
_PROBE = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "zqz"}]


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtRow:
    """Token ids, and for each whether the loss counts it. `lost` are the tokens that were cut, `lost_taught` those of
    them that would have been taught; `turns` the messages that were left out."""

    ids: list[int]
    taught: list[bool]
    turns: int = 0
    lost: int = 0
    lost_taught: int = 0

    @property
    def num_taught(self) -> int:
        """What the loss counts: the first token has nothing before it that it could be told from."""
        return sum(self.taught[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A chat that the template does not take, in its words."""

    why: str


class ChatTokens:
    """A base's chat template with its tokenizer.

    `stop_ids` end an answer; `end_ids` are those of them that a template writes nowhere, and that are put behind the
    last answer; `num_tokens` counts the vocabulary with what was added to it.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import AddedToken, Tokenizer

        from modelmint.training.causal import end_ids

        self.template: ChatTemplate = chat_template(folder)
        self.tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        if not self.template.own:
            self.tokenizer.add_special_tokens(
                [AddedToken(mark, special=True, normalized=False) for mark in CHATML_MARKS]
            )
        self.num_tokens = int(self.tokenizer.get_vocab_size(with_added_tokens=True))
        self.base_ends = end_ids(folder, self.tokenizer)
        marks = self._marks()
        self.end_ids = [] if marks else self.base_ends[:1]
        self.stop_ids = sorted({*marks, *self.base_ends})

    def taught(
        self, chats: Sequence[tuple[Sequence[Message], str | None]], loss_on: LossOn
    ) -> list[TaughtRow | Refused]:
        """(N,) chats with their tools, whole."""
        return self._rows([self._written(messages, tools, loss_on) for messages, tools in chats])

    def answers(self, pairs: Sequence[tuple[Sequence[Message], Sequence[Message]]]) -> list[TaughtRow | Refused]:
        """(N,) prompts with what is said to them, of which that is taught."""

        def written(prompt: Sequence[Message], said: Sequence[Message]) -> tuple[str, list[Span]] | Refused:
            try:
                return self.template.answer(prompt, said)
            except DataError as error:
                return Refused(why=error.message)

        return self._rows([written(prompt, said) for prompt, said in pairs])

    def prompts(self, chats: Sequence[tuple[Sequence[Message], str | None]], limit: int) -> list[list[int]]:
        """(N,) chats up to where the assistant speaks, the oldest turns left out where they are longer than `limit`.

        Raises:
            DataError: the template refuses one.
        """
        return [prompt_ids(self.template, self.tokenizer, messages, tools, limit=limit) for messages, tools in chats]

    def shortened(
        self,
        row: TaughtRow,
        messages: Sequence[Message],
        tools: str | None,
        *,
        limit: int,
        loss_on: LossOn,
        how: Shorten,
    ) -> TaughtRow:
        """The row of a chat in at most `limit` tokens.

        `left` keeps its end. `turns` leaves out the oldest exchanges, never what the system says at the beginning;
        where the last one alone is too long its end is cut, since a question without an end of its answer teaches
        more than that end without the question.
        """
        if len(row.ids) <= limit:
            return row
        whole = row
        if how == "left":
            return _lost(whole, replace(row, ids=row.ids[-limit:], taught=row.taught[-limit:]))

        def encoded(kept: Sequence[Message]) -> list[int]:
            again = self.taught([(kept, tools)], loss_on)[0]
            return again.ids if isinstance(again, TaughtRow) else [0] * (limit + 1)

        kept = fitting(messages, limit, encoded)
        again = self.taught([(kept, tools)], loss_on)[0]
        row = replace(again, turns=len(messages) - len(kept)) if isinstance(again, TaughtRow) else row
        return _lost(whole, replace(row, ids=row.ids[:limit], taught=row.taught[:limit]))

    def _written(
        self, messages: Sequence[Message], tools: str | None, loss_on: LossOn
    ) -> tuple[str, list[Span]] | Refused:
        try:
            text, spans = self.template.taught(messages, tools)
        except DataError as error:
            return Refused(why=error.message)
        if loss_on == "everything":
            return text, [(0, len(text))]
        return text, spans[-1:] if loss_on == "last-answer" else spans

    def _rows(self, written: Sequence[tuple[str, list[Span]] | Refused]) -> list[TaughtRow | Refused]:
        texts = [one[0] if isinstance(one, tuple) else "" for one in written]
        return [
            self._row(encoding, one[1], len(one[0])) if isinstance(one, tuple) else one
            for one, encoding in zip(written, self._encoded(texts), strict=True)
        ]

    def _row(self, encoding: Any, spans: Sequence[Span], length: int) -> TaughtRow:
        """A token is taught where it shares a character with a span, as preflight counts it."""
        taught, at = [False] * len(encoding.ids), 0
        for place, (start, end) in enumerate(encoding.offsets):
            while at < len(spans) and spans[at][1] <= start:
                at += 1
            taught[place] = at < len(spans) and max(end, start + 1) > spans[at][0]
        ids = list(encoding.ids)
        if self.end_ids and spans and spans[-1][1] == length and ids and ids[-1] not in self.end_ids:
            return TaughtRow(ids=[*ids, *self.end_ids], taught=[*taught, *[True] * len(self.end_ids)])
        return TaughtRow(ids=ids, taught=taught)

    def _encoded(self, texts: Sequence[str]) -> Iterator[Any]:
        for start in range(0, len(texts), CHUNK_ROWS):
            yield from self.tokenizer.encode_batch(list(texts[start : start + CHUNK_ROWS]), add_special_tokens=False)

    def _marks(self) -> list[int]:
        """The special token that the template writes behind an answer."""
        try:
            text, spans = self.template.taught(_PROBE)
        except DataError:
            return []
        said = text[spans[-1][0] : spans[-1][1]] if spans else ""
        behind = said.partition("zqz")[2]
        special = {token_id for token_id, token in self.tokenizer.get_added_tokens_decoder().items() if token.special}
        ids = self.tokenizer.encode(behind, add_special_tokens=False).ids
        return [token_id for token_id in ids if token_id in special][:1]


def _lost(whole: TaughtRow, kept: TaughtRow) -> TaughtRow:
    return replace(
        kept, lost=max(0, len(whole.ids) - len(kept.ids)), lost_taught=max(0, whole.num_taught - kept.num_taught)
    )
