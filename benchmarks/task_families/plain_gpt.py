"""The yardstick: a plain GPT and loop with the settings of nanoGPT's published CPU recipe, written after its text.

Source: https://github.com/karpathy/nanoGPT (MIT), model.py, train.py and the README's "I only have a macbook": block 64,
batch 12, 4 layers, 4 heads, width 128, 2,000 iterations, dropout 0, learning rate 1e-3 (minimum 1e-4), warm-up 100,
beta2 0.99, weight decay 0.1, GELU, learned positions, no bias, tied weights; its README gives a loss of 1.88.
"""

import math
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK, BATCH, LAYERS, HEADS, WIDTH, STEPS = 64, 12, 4, 4, 128, 2_000
PEAK, LEAST, WARMUP, DECAY = 1e-3, 1e-4, 100, 0.1


class Layer(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.attend = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.project = nn.Linear(WIDTH, WIDTH, bias=False)
        self.inner = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.outer = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        num, length, _ = states.shape
        parts = self.attend(self.first(states)).split(WIDTH, dim=2)
        query, key, value = (part.view(num, length, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        states = states + self.project(mixed.transpose(1, 2).reshape(num, length, WIDTH))
        return states + self.outer(functional.gelu(self.inner(self.second(states))))


class Gpt(nn.Module):  # type: ignore[misc]
    def __init__(self, num_tokens: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(num_tokens, WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))
        self.last, self.head = nn.LayerNorm(WIDTH, bias=False), nn.Linear(WIDTH, num_tokens, bias=False)
        self.words.weight = self.head.weight
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                deep = name.endswith(("project.weight", "outer.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if deep else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])
        return self.head(self.last(self.layers(self.words(ids) + self.places(places))))


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    groups = [
        {"params": [one for one in model.parameters() if one.ndim >= 2], "weight_decay": DECAY},
        {"params": [one for one in model.parameters() if one.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.99))


def step(model: nn.Module, optimizer: torch.optim.Optimizer, train: Tensor, number: int) -> None:
    """One iteration, as nanoGPT's `train.py` makes it."""
    done = min(1.0, max(0.0, (number - WARMUP) / (STEPS - WARMUP)))
    rate = (
        PEAK * (number + 1) / (WARMUP + 1)
        if number < WARMUP
        else LEAST + (PEAK - LEAST) * (1 + math.cos(math.pi * done)) / 2
    )
    for group in optimizer.param_groups:
        group["lr"] = rate
    starts = torch.randint(len(train) - BLOCK, (BATCH,))
    blocks = torch.stack([train[start : start + BLOCK + 1] for start in starts])
    loss = functional.cross_entropy(model(blocks[:, :-1]).flatten(0, 1), blocks[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def trained(train: Tensor, validation: Tensor, num_tokens: int, *, steps: int = STEPS) -> dict[str, Any]:
    """Validation loss over all blocks, and the processor seconds of the steps alone."""
    torch.manual_seed(1337)
    model = Gpt(num_tokens)
    optimizer = optimizer_of(model)
    began_s = time.process_time()
    for number in range(steps):
        step(model, optimizer, train, number)
    seconds = time.process_time() - began_s
    whole = (len(validation) - 1) // BLOCK * BLOCK
    with torch.no_grad():
        ids, following = validation[:whole].view(-1, BLOCK), validation[1 : whole + 1].view(-1, BLOCK)
        losses = [
            functional.cross_entropy(
                model(ids[at : at + 64]).flatten(0, 1), following[at : at + 64].flatten(), reduction="sum"
            )
            for at in range(0, len(ids), 64)
        ]
    return {"validation_loss": float(sum(losses)) / whole, "cpu_seconds": seconds, "steps": steps}
