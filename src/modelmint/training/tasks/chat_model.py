"""A trained chat model as the reference: it answers, and tells how surprised it is by given answers. Imports PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from modelmint.core.types import JSON
from modelmint.training.causal import CausalModel, load_causal
from modelmint.training.generation import Sampling, generate
from modelmint.training.tasks.causal_learner import losses_of
from modelmint.training.tasks.chat_rows import ChatTokens, LossOn, TaughtRow
from modelmint.training.tasks.table import read_about

Chats = Sequence[Sequence[Mapping[str, Any]]]


class ChatModel:
    """A trained chat model. One thread at a time may call it."""

    def __init__(self, model: CausalModel, tokens: ChatTokens, max_tokens: int, pad_id: int, loss_on: LossOn) -> None:
        self.max_tokens, self.pad_id = max_tokens, pad_id
        self._model, self._tokens, self._loss_on = model, tokens, loss_on

    def answer(
        self,
        chats: Chats,
        tools: Sequence[str | None] | None = None,
        sampling: Sampling | None = None,
        *,
        batch_size: int = 16,
        say: Callable[[int, int, str], None] | None = None,
    ) -> list[JSON]:
        """(N,) the assistant's next message to each chat, with ``finish``: ``stop``, or ``length`` where it was cut.

        Prompts longer than `max_tokens` lose their oldest turns. Where the model's positions do not reach for prompt and
        answer, the prompt has at least half of them.

        Raises:
            DataError: the template refuses a chat.
        """
        given = list(zip(chats, tools or [None] * len(chats), strict=True))
        sampling, room = self._fitted(sampling or Sampling())
        prompts = self._tokens.prompts(given, room)
        found = generate(
            self._model.encoder,
            prompts,
            sampling,
            stop_ids=self._tokens.stop_ids,
            pad_id=self.pad_id,
            batch_size=batch_size,
            say=say,
        )
        return [
            {
                "role": "assistant",
                "content": self._tokens.tokenizer.decode(one.ids, skip_special_tokens=True).strip(),
                "finish": "stop" if one.stopped else "length",
            }
            for one in found
        ]

    def losses(self, chats: Chats, tools: Sequence[str | None]) -> list[tuple[float, int]]:
        """(N,) the summed cross entropy of what the assistant says in each chat, and of how many tokens; (0.0, 0) for a
        chat that the template refuses, or in which it says nothing."""
        rows: dict[int, TaughtRow] = {}
        given = list(zip(chats, tools, strict=True))
        for at, whole in enumerate(self._tokens.taught(given, self._loss_on)):
            if isinstance(whole, TaughtRow):
                row = self._tokens.shortened(
                    whole, *given[at], limit=self.max_tokens, loss_on=self._loss_on, how="turns"
                )
                if row.num_taught:
                    rows[at] = row
        sums = losses_of(self._model, list(rows.values()), self.pad_id)
        told = {at: (total, rows[at].num_taught) for at, total in zip(rows, sums, strict=True)}
        return [told.get(at, (0.0, 0)) for at in range(len(chats))]

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[JSON]:
        """``{"role", "content", "finish", "loss", "tokens"}`` a row, from the columns ``messages`` and perhaps ``tools``.

        A chat that ends with the assistant is answered at that place, and not told what was said there. `loss` is the
        summed cross entropy of the row's own answers over so many `tokens`.
        """
        chats, tools = rows["messages"], rows.get("tools") or [None] * len(rows["messages"])
        asked = [chat[:-1] if chat and chat[-1].get("role") == "assistant" else chat for chat in chats]
        answers = self.answer(asked, tools, say=say)
        return [
            {**answer, "loss": total, "tokens": num}
            for answer, (total, num) in zip(answers, self.losses(chats, tools), strict=True)
        ]

    def _fitted(self, sampling: Sampling) -> tuple[Sampling, int]:
        """The sampling within the model's positions, and how many of them the prompts have."""
        positions = getattr(self._model.encoder.config, "max_position_embeddings", None)
        if not isinstance(positions, int):
            return sampling, self.max_tokens
        room = min(self.max_tokens, max(positions - sampling.max_new_tokens, positions // 2))
        return replace(sampling, max_new_tokens=min(sampling.max_new_tokens, positions - room)), room


def load_chat(folder: Path) -> ChatModel:
    """The chat model in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained chat model.
    """
    about = read_about(folder)
    model = CausalModel(load_causal(folder))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    model.train(False)
    return ChatModel(
        model, ChatTokens(folder), int(about["max_tokens"]), int(about["pad_id"]), about.get("loss_on", "answers")
    )
