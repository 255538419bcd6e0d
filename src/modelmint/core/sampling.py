"""How a model that writes chooses its tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How the next token is chosen: always the likeliest at `temperature` 0, else drawn from the likeliest tokens whose
    chances add up to `top_p`, of at most `top_k` where that is not 0. What is drawn depends on the seed and the row's own
    tokens, never on its neighbours. No answer ends before `min_new_tokens`."""

    max_new_tokens: int = 256
    min_new_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
