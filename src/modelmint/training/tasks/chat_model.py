"""A trained chat model as the reference: it answers, and tells how surprised it is by given answers. Imports PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from modelmint.core.chat_template import room_for
from modelmint.core.continuing import around
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.training.causal import CausalModel, load_causal
from modelmint.training.generation import follow, generate
from modelmint.training.tasks.by_tokens import ByTokens
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
        rows = {at: row for at, row in enumerate(self.taught(chats, tools)) if row is not None}
        sums = losses_of(self._model, list(rows.values()), self.pad_id)
        told = {at: (total, rows[at].num_taught) for at, total in zip(rows, sums, strict=True)}
        return [told.get(at, (0.0, 0)) for at in range(len(chats))]

    def follow(self, ids: Sequence[int], places: Sequence[int]) -> tuple[Any, Any, Any]:
        """What the model holds of given tokens, as `serving.writers.Writer.follow`: NumPy arrays (len(places),) of
        their log-probabilities, of the likeliest token in the place of each, and of the log-probabilities of those."""
        return follow(self._model, ids, places)

    def prompt(self, messages: Sequence[Mapping[str, Any]], tools: str | None, *, max_new_tokens: int) -> list[int]:
        """Token ids of a chat up to where the assistant speaks, as `answer` reads it."""
        _, room = self._fitted(Sampling(max_new_tokens=max_new_tokens))
        return self._tokens.prompts([(messages, tools)], room)[0]

    def taught(self, chats: Chats, tools: Sequence[str | None]) -> list[TaughtRow | None]:
        """(N,) what each chat teaches, as training reads it; None where that is nothing."""
        given = list(zip(chats, tools, strict=True))
        rows: list[TaughtRow | None] = []
        for at, whole in enumerate(self._tokens.taught(given, self._loss_on)):
            row = None
            if isinstance(whole, TaughtRow):
                row = self._tokens.shortened(
                    whole, *given[at], limit=self.max_tokens, loss_on=self._loss_on, how="turns"
                )
            rows.append(row if row is not None and row.num_taught else None)
        return rows

    @property
    def stop_ids(self) -> Sequence[int]:
        """What ends an answer."""
        return self._tokens.stop_ids

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

    def by_tokens(self) -> ByTokens:
        """The same model, asked by tokens; a text that is no chat begins as the base's own texts do."""
        tokenizer = self._tokens.tokenizer
        return ByTokens(
            model=self._model,
            tokenizer=tokenizer,
            start=around(tokenizer)[0] or self._tokens.base_ends[:1],
            stop_ids=self._tokens.stop_ids,
            pad_id=self.pad_id,
            max_tokens=self.max_tokens,
            template=self._tokens.template,
        )

    def _fitted(self, sampling: Sampling) -> tuple[Sampling, int]:
        """The sampling within the model's positions, and how many of them the prompts have."""
        positions = getattr(self._model.encoder.config, "max_position_embeddings", None)
        room, num_new = room_for(
            sampling.max_new_tokens,
            max_tokens=self.max_tokens,
            positions=positions if isinstance(positions, int) else None,
        )
        return replace(sampling, max_new_tokens=num_new), room


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
