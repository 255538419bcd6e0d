"""A causal language model asked by tokens: how likely it finds what goes on, and what it writes until a mark. Imports PyTorch.

Shapes: b rows of a batch, t tokens of the longest, n tokens of a row that are told of, v tokens of the vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from modelmint.core.chat_template import ChatTemplate
from modelmint.core.errors import InputError
from modelmint.core.sampling import Sampling
from modelmint.training.causal import CausalModel
from modelmint.training.generation import generate

MAX_BATCH_TOKENS = 4_096
MAX_BATCH_LOGITS = 1 << 28
Say = Callable[[int, int, str], None]


class Likely(NamedTuple):
    """The summed log-probability (natural) of what goes on, whether each of its tokens is the likeliest at its place, and
    how many of its tokens were told of."""

    log_probability: float
    greedy: bool
    num_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ByTokens:
    """A trained model with its tokenizer. `start` are the tokens that a text begins with; `template` is that of a chat
    model. Rows longer than `max_tokens` lose their beginning. One thread at a time may use it."""

    model: CausalModel
    tokenizer: Any
    start: Sequence[int]
    stop_ids: Sequence[int]
    pad_id: int
    max_tokens: int
    template: ChatTemplate | None = None

    def encode(self, text: str) -> list[int]:
        """The text's own tokens, with nothing around them."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def reading(self, max_tokens: int | None) -> "ByTokens":
        """The same with another `max_tokens`, within the model's positions.

        Raises:
            InputError: the model has fewer positions.
        """
        positions = self._positions
        if max_tokens is not None and positions is not None and max_tokens > positions:
            raise InputError(
                f"max_tokens: must be at most {positions:,}, the positions of this model; got {max_tokens:,}",
                parameter="max_tokens",
                remedy=f"Leave it out: it is {self.max_tokens:,}, what the model was trained with.",
            )
        return self if max_tokens is None else replace(self, max_tokens=max_tokens)

    def likely(self, rows: Sequence[tuple[Sequence[int], Sequence[int]]], say: Say | None = None) -> list[Likely]:
        """(N,) how likely each continuation is after its context: pairs of token ids.

        Equal beginnings are read once. The first token of a row has nothing that it could be told from.
        """
        read: dict[tuple[int, ...], list[int]] = {}
        wholes = [[*context, *told][-self.max_tokens - 1 :] for context, told in rows]
        for at, whole in enumerate(wholes):
            read.setdefault(tuple(whole[:-1]), []).append(at)
        read.pop((), None)
        found, done = [Likely(0.0, True, 0)] * len(rows), 0
        for inputs in self._batches(list(read)):
            with torch.no_grad():
                logits_btv = self.model(input_ids=_padded(inputs, self.pad_id).to(self._device))
            for at_b, ids in enumerate(inputs):
                for at in read[ids]:
                    num = min(len(rows[at][1]), len(ids))
                    found[at] = _likely(logits_btv[at_b, len(ids) - num : len(ids)], wholes[at], num)
                done += len(read[ids])
            if say is not None:
                say(done, len(rows), "reading continuations")
        return found

    def write(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        *,
        until: Sequence[str] = (),
        batch_size: int = 16,
        say: Say | None = None,
    ) -> list[str]:
        """(N,) how each prompt goes on, up to the first of the marks `until`, to its end or to `max_new_tokens`."""
        rows = [list(prompt)[-self.max_tokens :] or [self.pad_id] for prompt in prompts]
        lengths, open_rows = [len(row) for row in rows], list(range(len(rows)))
        reach = self._positions or self.max_tokens + sampling.max_new_tokens
        size = max(1, min(sampling.max_new_tokens, reach // 2))
        for start in range(0, sampling.max_new_tokens, size):
            if not open_rows:
                break
            part = replace(sampling, max_new_tokens=min(size, sampling.max_new_tokens - start))
            new = generate(
                self.model.encoder,
                [rows[at][-max(1, reach - part.max_new_tokens) :] for at in open_rows],
                part,
                stop_ids=self.stop_ids,
                pad_id=self.pad_id,
                batch_size=batch_size,
                say=say,
                ended=(lambda ids: _holds(self.tokenizer.decode(ids), until)) if until else None,
            )
            for at, one in zip(open_rows, new, strict=True):
                rows[at] += one.ids
            open_rows = [
                at
                for at, one in zip(open_rows, new, strict=True)
                if not one.stopped and not _holds(self.tokenizer.decode(rows[at][lengths[at] :]), until)
            ]
        return [_cut(self.tokenizer.decode(row[num:]), until) for row, num in zip(rows, lengths, strict=True)]

    def _batches(self, inputs: Sequence[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
        self.model.train(False)
        num_tokens = min(MAX_BATCH_TOKENS, MAX_BATCH_LOGITS // max(1, self.tokenizer.get_vocab_size()))
        batch: list[tuple[int, ...]] = []
        for ids in sorted(inputs, key=lambda ids: (len(ids), ids)):
            if batch and len(ids) * (len(batch) + 1) > num_tokens:
                yield batch
                batch = []
            batch.append(ids)
        if batch:
            yield batch

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def _positions(self) -> int | None:
        positions = getattr(self.model.encoder.config, "max_position_embeddings", None)
        return positions if isinstance(positions, int) else None


def _padded(inputs: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    """(b, t) on the left, so that nothing must be masked: no token sees what stands behind it."""
    longest = max(len(ids) for ids in inputs)
    return torch.tensor([[*ids, *[pad_id] * (longest - len(ids))] for ids in inputs])


def _likely(logits_nv: Tensor, whole: Sequence[int], num: int) -> Likely:
    if not num:
        return Likely(0.0, True, 0)
    ids_n = torch.tensor(whole[-num:], device=logits_nv.device)
    told_n = logits_nv.float().log_softmax(dim=-1).gather(1, ids_n[:, None])[:, 0]
    greedy = bool((logits_nv.argmax(dim=-1) == ids_n).all())
    return Likely(float(told_n.double().sum()), greedy, num)


def _holds(text: str, until: Sequence[str]) -> bool:
    return any(mark in text for mark in until)


def _cut(text: str, until: Sequence[str]) -> str:
    return text[: min((at for mark in until if (at := text.find(mark)) >= 0), default=len(text))]


__all__ = ["ByTokens", "Likely"]
