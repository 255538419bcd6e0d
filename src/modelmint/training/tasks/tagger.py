"""A trained tagger: scores of words, the best tags that BIO allows, the entities they make. Imports PyTorch.

Shapes: b windows of a batch, t tokens of its longest one, w words, l tags.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.capitals import CAPITALS
from modelmint.core.tags import Floats, tagged, unread
from modelmint.core.types import JSON
from modelmint.core.windows import Window, WordWindows
from modelmint.training.batches import pad_batch
from modelmint.training.headed import Kind, read_headed
from modelmint.training.tasks.table import read_about

KIND: Kind = "AutoModelForTokenClassification"
BATCH_WINDOWS = 64


class Tagger:
    """A trained tagger. One thread at a time may call it. `tags` names the columns of the scores."""

    def __init__(self, folder: Path) -> None:
        about = read_about(folder)
        self._model = read_headed(folder, KIND).to("cuda" if torch.cuda.is_available() else "cpu")
        self._windows = WordWindows(folder, int(about["max_tokens"]), int(about["overlap"]))
        self.tags: Sequence[str] = [str(tag) for tag in about["tags"]]
        self._are_entities = bool(about["entities"])
        self._has_capitals = bool(getattr(self._model.encoder.config, CAPITALS, False))

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[JSON]:
        """``{"tags": [...], "entities": [{"type", "start", "end", "text", "score"}]}`` a row, from ``tokens``.

        `start` and `end` (exclusive) count words; `text` joins them, by spaces where they are no
        Chinese; `score` is the least probability of its tags.
        """
        words, scores = _words(rows), self.scores(rows, say)
        return [
            tagged(row, row_wl, self.tags, are_entities=self._are_entities)
            for row, row_wl in zip(words, scores, strict=True)
        ]

    def scores(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[Floats]:
        """Of each row the logarithms of its words' probabilities (w, l)."""
        words = _words(rows)
        windows = self._windows.of(words)
        ids, lengths = [window.token_ids for window in windows], [len(row) for row in words]
        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        return log_scores(
            self._model,
            ids,
            windows,
            lengths,
            num_tags=len(self.tags),
            pad_id=pad_id,
            has_capitals=self._has_capitals,
            say=say,
        )


def _words(rows: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    return [[str(word) for word in row or ()] for row in rows["tokens"]]


def load_tagger(folder: Path) -> Tagger:
    """The tagger of a model artifact's folder, on the GPU where there is one."""
    return Tagger(folder)


def log_scores(
    model: nn.Module,
    token_ids: Sequence[Sequence[int]],
    windows: Sequence[Window],
    num_words: Sequence[int],
    *,
    num_tags: int,
    pad_id: int,
    has_capitals: bool,
    say: Callable[[int, int, str], None] | None = None,
) -> list[Floats]:
    """For each row (w, l) the logarithms of its words' probabilities; a word without a token is `O` (the first) for sure.

    Args:
        token_ids: of the windows, as numbers of the embedding that the model has now.
        num_words: of each row.
    """
    scores = [unread(number, num_tags) for number in num_words]
    model.train(False)
    device = next(model.parameters()).device
    order = sorted(range(len(windows)), key=lambda at: len(token_ids[at]))
    with torch.no_grad():
        for start in range(0, len(order), BATCH_WINDOWS):
            part = order[start : start + BATCH_WINDOWS]
            ids, given = [token_ids[at] for at in part], [windows[at] for at in part]
            logits_btl = model(**inputs_of(ids, given, pad_id, device, has_capitals=has_capitals)).float()
            found_btl = logits_btl.log_softmax(dim=-1).cpu().numpy()
            for at, found_tl in zip(part, found_btl, strict=True):
                scores[windows[at].row][windows[at].words] = found_tl[windows[at].places]
            if say is not None:
                say(start + len(part), len(order), "predicting")
    return scores


def inputs_of(
    token_ids: Sequence[Sequence[int]],
    windows: Sequence[Window],
    pad_id: int,
    device: torch.device,
    *,
    has_capitals: bool,
) -> dict[str, Tensor]:
    """What an encoder reads; with the types of tokens where it was told capitals."""
    inputs = pad_batch(token_ids, pad_id, device)
    if has_capitals:
        inputs["token_type_ids"] = pad_batch([one.capitals for one in windows], 0, device)["input_ids"]
    return inputs
