"""A trained reader: of each context the best span of all its windows. Imports PyTorch.

Shapes: b windows of a batch, t tokens of its longest one, c tokens of the context in a window.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from modelmint.core.spans import best_span, said
from modelmint.core.types import JSON
from modelmint.core.windows import Passage, PassageWindows
from modelmint.training.batches import pad_batch
from modelmint.training.headed import Kind, read_headed
from modelmint.training.tasks.table import read_about

KIND: Kind = "AutoModelForQuestionAnswering"
BATCH_WINDOWS = 32
Floats = npt.NDArray[np.float32]


class Reader:
    """A trained model that answers from texts. One thread at a time may call it."""

    def __init__(self, folder: Path) -> None:
        about = read_about(folder)
        self._model = read_headed(folder, KIND).to("cuda" if torch.cuda.is_available() else "cpu")
        self._windows = PassageWindows(
            folder,
            int(about["max_tokens"]),
            overlap=int(about["overlap"]),
            max_question_tokens=int(about["max_question_tokens"]),
        )
        self._max_answer_tokens, self._can_be_none = int(about["max_answer_tokens"]), bool(about["can_be_none"])

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[JSON]:
        """``{"answer", "answer_start", "score"}`` a row, from ``question`` and ``context``.

        `answer_start` counts letters of the context; it is null and `answer` empty where the model sees no answer,
        which it says only where rows without one were among those that it learned from.
        """
        contexts = [str(one or "") for one in rows["context"]]
        passages = self._windows.of([str(one or "") for one in rows["question"]], contexts)
        config = self._model.encoder.config
        ids, pad_id = [one.token_ids for one in passages], int(config.pad_token_id or 0)
        logits = span_logits(self._model, ids, passages, pad_id, has_types=has_types(config), say=say)
        return answers(
            logits, passages, contexts, max_answer_tokens=self._max_answer_tokens, can_be_none=self._can_be_none
        )


def load_reader(folder: Path) -> Reader:
    """The reader of a model artifact's folder, on the GPU where there is one."""
    return Reader(folder)


def answers(
    logits: Sequence[Floats],
    passages: Sequence[Passage],
    contexts: Sequence[str],
    *,
    max_answer_tokens: int,
    can_be_none: bool,
) -> list[JSON]:
    """(N,) of each context the best span of all its windows, by how much more likely it is than "not here".

    Args:
        logits: (t, 2) of each passage.
    """
    rows: list[tuple[list[Floats], list[Passage]]] = [([], []) for _ in contexts]
    for logits_t2, passage in zip(logits, passages, strict=True):
        rows[passage.row][0].append(logits_t2)
        rows[passage.row][1].append(passage)
    return [
        said(best_span(*row, max_answer_tokens=max_answer_tokens), context, can_be_none=can_be_none)
        for row, context in zip(rows, contexts, strict=True)
    ]


def span_logits(
    model: nn.Module,
    token_ids: Sequence[Sequence[int]],
    passages: Sequence[Passage],
    pad_id: int,
    *,
    has_types: bool,
    say: Callable[[int, int, str], None] | None = None,
) -> list[Floats]:
    """(t, 2) of each passage: how likely each token is the first and the last of the answer.

    Args:
        token_ids: of the passages, as numbers of the embedding that the model has now.
    """
    model.train(False)
    device = next(model.parameters()).device
    order = sorted(range(len(passages)), key=lambda at: len(token_ids[at]))
    found: list[Floats] = [np.zeros((0, 2), np.float32)] * len(passages)
    with torch.no_grad():
        for start in range(0, len(order), BATCH_WINDOWS):
            part = order[start : start + BATCH_WINDOWS]
            inputs = inputs_of(
                [token_ids[at] for at in part], [passages[at] for at in part], pad_id, device, has_types=has_types
            )
            logits_bt2 = model(**inputs).float().cpu().numpy()
            for at, logits_t2 in zip(part, logits_bt2, strict=True):
                found[at] = logits_t2[: len(token_ids[at])]
            if say is not None:
                say(start + len(part), len(order), "predicting")
    return found


def inputs_of(
    token_ids: Sequence[Sequence[int]],
    passages: Sequence[Passage],
    pad_id: int,
    device: torch.device,
    *,
    has_types: bool,
) -> dict[str, Tensor]:
    """What an encoder reads; with the types of tokens where it knows two."""
    inputs = pad_batch(token_ids, pad_id, device)
    if has_types:
        inputs["token_type_ids"] = pad_batch([one.type_ids for one in passages], 0, device)["input_ids"]
    return inputs


def has_types(config: Any) -> bool:
    """Whether the encoder tells a first text's tokens from a second's."""
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1
