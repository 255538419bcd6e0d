"""How a language model goes on with a text: the tokens that it reads, and those that it reads again on the way.

Training, parity and the request path take it from here, so that all of them read and write the same. Imports no PyTorch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """New tokens `start` to `end` of a row of prompt and new tokens, before which the `num_read` newest are read."""

    start: int
    end: int
    num_read: int

    @property
    def first(self) -> int:
        """Where what is read begins."""
        return max(0, self.start - self.num_read)


def parts(num_prompt: int, num_new: int, max_tokens: int) -> Iterator[Part]:
    """The new tokens of a row in parts of at most half of what the model reads.

    Before each part the newest tokens are read anew, as many as leave room for it: what lies further back than
    `max_tokens` is no longer read. So a text may become longer than the model's positions.
    """
    size = max(1, max_tokens // 2)
    for begun in range(0, num_new, size):
        num = min(size, num_new - begun)
        start = num_prompt + begun
        yield Part(start=start, end=start + num, num_read=max(1, max_tokens - num))


def prompt_of(tokenizer: Any, text: str, stop_ids: Sequence[int]) -> list[int]:
    """Token ids of a text to go on with, at least one; an empty text is the beginning of one."""
    start, _ = borders(tokenizer, stop_ids)
    return [*start, *tokenizer.encode(text, add_special_tokens=False).ids] or [fill_id(stop_ids)]


def continued(tokenizer: Any, prompt: Sequence[int], ids: Sequence[int]) -> str:
    """What the new tokens say behind the prompt, without marks.

    Some decoders take the space before a text's first word away: they are shown the token before it too.
    """
    before = list(prompt[-1:])
    said: str = tokenizer.decode(before)
    whole: str = tokenizer.decode([*before, *ids])
    alone: str = tokenizer.decode(list(ids))
    return whole.removeprefix(said) if said and whole.startswith(said) else alone


def borders(tokenizer: Any, stop_ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """The tokens that a text begins with and ends with: where nothing begins it, the end of the text before."""
    before, after = around(tokenizer)
    end = after or list(stop_ids[:1])
    return before or end, end


def around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    ids = tokenizer.encode("a").ids
    inside = tokenizer.encode("a", add_special_tokens=False).ids
    at = next((at for at in range(len(ids)) if ids[at : at + len(inside)] == inside), 0)
    return ids[:at], ids[at + len(inside) :]


def fill_id(stop_ids: Sequence[int]) -> int:
    """What stands where there is no token."""
    return stop_ids[0] if stop_ids else 0
