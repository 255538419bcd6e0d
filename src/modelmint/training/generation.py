"""Texts that a causal language model goes on with, several at once as each alone. Imports PyTorch.

Shapes: b rows of a batch, t tokens so far, v tokens of the vocabulary, p places of
given tokens.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modelmint.core.sampling import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """The new tokens, without the one that ended them (`end_id`); `stopped` is False where `max_new_tokens` did."""

    ids: list[int]
    stopped: bool
    end_id: int | None = None


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    stop_ids: Sequence[int],
    pad_id: int,
    batch_size: int = 16,
    say: Callable[[int, int, str], None] | None = None,
    ended: Callable[[Sequence[int]], bool] | None = None,
) -> list[Continuation]:
    """(N,) how each prompt goes on, in the prompts' order; batches are of like length, padded on the left.

    `ended` looks at the new tokens of a row after each step; one that it finds ended may carry tokens behind its end.

    Where invisible tokens stand before each prompt (prompt tuning and its like), padding would part them from it: there
    the prompts of a batch are of one length.
    """
    model.train(False)
    found: dict[int, Continuation] = {}
    for places in _batches([len(prompt) for prompt in prompts], batch_size, pads=not hasattr(model, "peft_config")):
        new = _batch(model, [prompts[at] for at in places], sampling, stop_ids, pad_id, ended)
        found |= dict(zip(places, new, strict=True))
        if say is not None:
            say(len(found), len(prompts), "writing answers")
    return [found[at] for at in range(len(prompts))]


def _batches(lengths: Sequence[int], batch_size: int, *, pads: bool) -> Iterator[list[int]]:
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (lengths[at], at)):
        if len(batch) == batch_size or (batch and not pads and lengths[at] != lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    stop_ids: Sequence[int],
    pad_id: int,
    ended: Callable[[Sequence[int]], bool] | None,
) -> list[Continuation]:
    from transformers import GenerationConfig

    device, longest = next(model.parameters()).device, max(len(prompt) for prompt in prompts)
    ids_bt = torch.tensor([[*[pad_id] * (longest - len(prompt)), *prompt] for prompt in prompts])
    mask_bt = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    config = GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        min_new_tokens=sampling.min_new_tokens or None,
        do_sample=False,
        eos_token_id=list(stop_ids) or None,
        pad_token_id=pad_id,
    )
    drawn = [_Drawn(prompts, sampling)] if sampling.temperature > 0 else []
    with torch.no_grad():
        whole_bt = model.generate(
            input_ids=ids_bt.to(device),
            attention_mask=mask_bt.to(device),
            generation_config=config,
            logits_processor=drawn,
            stopping_criteria=[_Ended(longest, ended)] if ended is not None else [],
        )
    return [_until_stop(row[longest:], stop_ids) for row in whole_bt.tolist()]


def follow(model: Any, ids: Sequence[int], places: Sequence[int]) -> tuple[Any, Any, Any]:
    """What a `CausalModel` holds of given tokens, as `serving.writers.Writer.follow`: NumPy arrays (len(places),) of
    their log-probabilities, of the likeliest token in the place of each, and of the log-probabilities of those.

    Args:
        places: where the tokens stand in `ids`, from 1 on.
    """
    device = next(model.parameters()).device
    with torch.no_grad():
        logits_tv = model(input_ids=torch.tensor([list(ids)], device=device))[0].float()
    logits_pv = logits_tv[torch.tensor(places, device=device) - 1]
    said_p1 = torch.tensor([ids[place] for place in places], device=device)[:, None]
    most_p, best_p = logits_pv.log_softmax(1).max(1)
    held_p = logits_pv.log_softmax(1).gather(1, said_p1)[:, 0]
    return held_p.double().cpu().numpy(), best_p.cpu().numpy(), most_p.double().cpu().numpy()


class _Ended:
    """Asks of each row whether its new tokens hold an end; one that did is not asked again."""

    def __init__(self, num_before: int, ended: Callable[[Sequence[int]], bool]) -> None:
        self._num_before, self._ended = num_before, ended
        self._known: set[int] = set()

    def __call__(self, ids_bt: Tensor, _scores: Any, **_given: Any) -> Tensor:
        for at, row in enumerate(ids_bt[:, self._num_before :].tolist()):
            if at not in self._known and self._ended(row):
                self._known.add(at)
        return torch.tensor([at in self._known for at in range(len(ids_bt))], device=ids_bt.device)


class _Drawn:
    """Adds noise to the logits so that the largest is a draw from them (Gumbel 1954): a row, a generator."""

    def __init__(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> None:
        self._sampling = sampling
        self._generators = [_generator(prompt, sampling.seed) for prompt in prompts]

    def __call__(self, _ids_bt: Tensor, logits_bv: Tensor) -> Tensor:
        logits_bv = logits_bv.float() / self._sampling.temperature
        sorted_bv, order_bv = logits_bv.sort(dim=1, descending=True, stable=True)
        chances_bv = sorted_bv.softmax(dim=1)
        unlikely_bv = chances_bv.cumsum(dim=1) - chances_bv >= self._sampling.top_p
        if self._sampling.top_k:
            unlikely_bv[:, self._sampling.top_k :] = True
        sorted_bv = sorted_bv.masked_fill(unlikely_bv, -torch.inf)
        logits_bv = torch.empty_like(sorted_bv).scatter_(1, order_bv, sorted_bv)
        size = logits_bv.shape[1]
        uniform_bv = torch.stack([torch.rand(size, generator=generator) for generator in self._generators])
        tiny = torch.finfo(torch.float32).tiny
        noise_bv = -(-uniform_bv.clamp_min(tiny).log()).clamp_min(tiny).log()
        return logits_bv + noise_bv.to(logits_bv.device)


def _generator(prompt: Sequence[int], seed: int) -> torch.Generator:
    told = hashlib.sha256(f"{seed}/{','.join(map(str, prompt))}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(told[:7], "big"))


def _until_stop(ids: Sequence[int], stop_ids: Sequence[int]) -> Continuation:
    end = next((at for at, token_id in enumerate(ids) if token_id in stop_ids), None)
    return Continuation(ids=list(ids[:end]), stopped=end is not None, end_id=None if end is None else ids[end])
