"""A model tuned to preferences as the reference: how likely it finds each of two answers. Imports PyTorch."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from modelmint.core.types import JSON
from modelmint.training.causal import CausalModel, grow, load_causal
from modelmint.training.tasks.answer_pairs import AnswerPairs
from modelmint.training.tasks.causal_learner import losses_of
from modelmint.training.tasks.chat_rows import ChatTokens, TaughtRow
from modelmint.training.tasks.table import read_about


class PreferenceModel:
    """One thread at a time may call it. With `reference` its answers tell that model's log-probabilities too."""

    def __init__(
        self, model: CausalModel, tokens: ChatTokens, max_tokens: int, pad_id: int, reference: CausalModel | None = None
    ) -> None:
        self._model, self._tokens, self._reference = model, tokens, reference
        self._max_tokens, self._pad_id = max_tokens, pad_id

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[JSON]:
        """``{"chosen": {"log_probability", "tokens"}, "rejected": ...}`` a row, from the columns ``prompt``, ``chosen``
        and ``rejected``; None for both in a row that cannot be read, or whose answers are alike."""
        columns = {name: [cell or [] for cell in rows[name]] for name in ("prompt", "chosen", "rejected")}
        found = AnswerPairs(self._tokens, self._max_tokens).read(columns, Counter())
        sides: dict[str, list[JSON]] = {}
        for side in ("chosen", "rejected"):
            sides[side] = self._told([getattr(pair, side) for pair in found.values()])
            if say is not None:
                say(len(sides), 2, "reading answers")
        told = {
            at: {"chosen": chosen, "rejected": rejected}
            for at, chosen, rejected in zip(found, sides["chosen"], sides["rejected"], strict=True)
        }
        return [told.get(at, {"chosen": None, "rejected": None}) for at in range(len(columns["prompt"]))]

    def _told(self, rows: Sequence[TaughtRow]) -> list[JSON]:
        own = losses_of(self._model, rows, self._pad_id)
        told: list[JSON] = [
            {"log_probability": -loss, "tokens": row.num_taught} for loss, row in zip(own, rows, strict=True)
        ]
        if self._reference is not None:
            for one, loss in zip(told, losses_of(self._reference, rows, self._pad_id), strict=True):
                one["reference"] = -loss
        return told


def load_preference(folder: Path, reference: Path | None = None) -> PreferenceModel:
    """The model in a model artifact's folder, on the GPU where there is one.

    Args:
        reference: the folder of the base that it was tuned from, whose log-probabilities are told too.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    about = read_about(folder)
    tokens, device = ChatTokens(folder), "cuda" if torch.cuda.is_available() else "cpu"
    other = None
    if reference is not None:
        base = load_causal(reference)
        grow(base, tokens.num_tokens, like=ChatTokens(reference).base_ends)
        other = CausalModel(base).to(device)
    model = CausalModel(load_causal(folder)).to(device)
    return PreferenceModel(model, tokens, int(about["max_tokens"]), int(about["pad_id"]), other)
