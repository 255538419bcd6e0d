"""Pairs of answers as token ids, both to the same prompt. Imports no PyTorch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from modelmint.core.chat_template import Message, fitting
from modelmint.training.tasks.chat_rows import ChatTokens, TaughtRow

Both: TypeAlias = tuple[TaughtRow, TaughtRow]
PROMPT_SHARE = 4
"""Of the tokens a quarter is the prompt's, however long the answers are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPair:
    """Two answers to a prompt, and that of another pair to it (`kto` asks how far the model drifts on such)."""

    chosen: TaughtRow
    rejected: TaughtRow
    stranger: TaughtRow


class AnswerPairs:
    """Reads rows of the form ``preference`` by a chat template, in at most `limit` tokens."""

    def __init__(self, tokens: ChatTokens, limit: int) -> None:
        self._tokens, self._limit = tokens, limit

    def read(self, columns: Mapping[str, Sequence[Sequence[Message]]], counts: Counter[str]) -> dict[int, AnswerPair]:
        """Pairs by the number of their row; those that cannot be learned from are counted in `counts`, as what was cut
        of the others is."""
        sides = [
            self._tokens.answers(list(zip(columns["prompt"], columns[name], strict=True)))
            for name in ("chosen", "rejected")
        ]
        found: dict[int, Both] = {}
        for at, (chosen, rejected) in enumerate(zip(*sides, strict=True)):
            if not isinstance(chosen, TaughtRow) or not isinstance(rejected, TaughtRow):
                counts["refused"] += 1
                continue
            pair = chosen, rejected
            if max(len(chosen.ids), len(rejected.ids)) > self._limit:
                pair = self._cut(pair, *(columns[name][at] for name in ("prompt", "chosen", "rejected")))
                counts["cut"] += 1
                counts["tokens_cut"] += pair[0].lost + pair[1].lost
            if not pair[0].num_taught or not pair[1].num_taught:
                counts["nothing_to_learn"] += 1
            elif pair[0].ids == pair[1].ids:
                counts["alike"] += 1
            else:
                found[at] = pair
        return dict(zip(found, _with_strangers(list(found.values()), self._limit), strict=True))

    def _cut(self, whole: Both, prompt: Sequence[Message], says: Sequence[Message], other: Sequence[Message]) -> Both:
        """Without the oldest turns of the prompt; where that is not enough the prompt's beginning goes, then the ends
        of the answers."""

        def both(kept: Sequence[Message]) -> Both:
            first, second = self._tokens.answers([(kept, says), (kept, other)])
            return (first, second) if isinstance(first, TaughtRow) and isinstance(second, TaughtRow) else whole

        kept = fitting(prompt, self._limit, lambda kept: max((one.ids for one in both(kept)), key=len))
        rows = both(kept)
        answers = max(len(row.ids) - _start(row) for row in rows)
        room = max(self._limit - answers, self._limit // PROMPT_SHARE)
        first, second = (
            replace(cut, lost=len(before.ids) - len(cut.ids))
            for before, cut in zip(whole, (_part(row, room, self._limit) for row in rows), strict=True)
        )
        return first, second


def _with_strangers(pairs: Sequence[Both], limit: int) -> list[AnswerPair]:
    """The stranger is the next pair's answer, by turns the chosen and the rejected one."""
    found = []
    for at, (chosen, rejected) in enumerate(pairs):
        said = pairs[(at + 1) % len(pairs)][at % 2]
        asked, start = chosen.ids[: _start(chosen)], _start(said)
        ids = [*asked, *said.ids[start:]][:limit]
        taught = [*[False] * len(asked), *said.taught[start:]][:limit]
        if not any(taught[1:]):  # no room beside this prompt
            ids, taught = chosen.ids, chosen.taught
        found.append(AnswerPair(chosen=chosen, rejected=rejected, stranger=TaughtRow(ids=ids, taught=taught)))
    return found


def _part(row: TaughtRow, room: int, limit: int) -> TaughtRow:
    start = max(0, _start(row) - room)
    return replace(row, ids=row.ids[start:][:limit], taught=row.taught[start:][:limit])


def _start(row: TaughtRow) -> int:
    """Where the answer begins."""
    return row.taught.index(True) if True in row.taught else len(row.ids)
