"""A trained tagger: scores of words, the best tags that BIO allows, the entities they make. Imports PyTorch.

Shapes: b windows of a batch, t tokens of its longest one, w words, l tags.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from modelmint.core.capitals import CAPITALS
from modelmint.core.types import JSON
from modelmint.evaluation.metrics.entities import entities
from modelmint.training.batches import pad_batch
from modelmint.training.headed import Kind, read_headed
from modelmint.training.tasks.table import read_about
from modelmint.training.windows import Window, WordWindows

KIND: Kind = "AutoModelForTokenClassification"
BATCH_WINDOWS = 64
FIRST_IDEOGRAPH = "\u2e80"
Floats = npt.NDArray[np.float32]


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
        words = [[str(word) for word in row or ()] for row in rows["tokens"]]
        windows = self._windows.of(words)
        ids, lengths = [window.token_ids for window in windows], [len(row) for row in words]
        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        scores = log_scores(
            self._model,
            ids,
            windows,
            lengths,
            num_tags=len(self.tags),
            pad_id=pad_id,
            has_capitals=self._has_capitals,
            say=say,
        )
        return [self._answer(row, row_wl) for row, row_wl in zip(words, scores, strict=True)]

    def _answer(self, words: Sequence[str], scores_wl: Floats) -> JSON:
        tags, sure_w = decode(scores_wl, self.tags, are_entities=self._are_entities)
        found = entities(tags) if self._are_entities else []
        return {
            "tags": tags,
            "entities": [
                {
                    "type": one.type,
                    "start": one.start,
                    "end": one.end,
                    "text": _joined(words[one.start : one.end]),
                    "score": round(float(sure_w[one.start : one.end].min()), 6),
                }
                for one in found
            ],
        }


def _joined(words: Sequence[str]) -> str:
    return ("" if all(word >= FIRST_IDEOGRAPH for word in words) else " ").join(words)


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
    nothing_l = np.full(num_tags, -30.0, np.float32)
    nothing_l[0] = 0.0
    scores = [np.tile(nothing_l, (number, 1)) for number in num_words]
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


def decode(scores_wl: Floats, tags: Sequence[str], *, are_entities: bool) -> tuple[list[str], Floats]:
    """The most probable tags that BIO allows, and how probable each is (w,). Source: Viterbi (1967)."""
    if not len(scores_wl):
        return [], np.zeros(0, np.float32)
    path = scores_wl.argmax(axis=1)
    allowed_ll, first_l = _allowed(tuple(tags))
    if are_entities and not (first_l[path[0]] and allowed_ll[path[:-1], path[1:]].all()):
        path = _viterbi(scores_wl, allowed_ll, first_l)
    return [tags[at] for at in path], np.exp(scores_wl[np.arange(len(path)), path])


def _viterbi(scores_wl: Floats, allowed_ll: npt.NDArray[np.bool_], first_l: npt.NDArray[np.bool_]) -> Any:
    penalty_ll = np.where(allowed_ll, 0.0, -1e6)
    total_l = scores_wl[0] + np.where(first_l, 0.0, -1e6)
    came_from: list[Any] = []
    for score_l in scores_wl[1:]:
        both_ll = total_l[:, None] + penalty_ll
        came_from.append(both_ll.argmax(axis=0))
        total_l = both_ll.max(axis=0) + score_l
    path = [int(total_l.argmax())]
    for back_l in reversed(came_from):
        path.append(int(back_l[path[-1]]))
    return np.array(path[::-1])


def _allowed(tags: tuple[str, ...]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which tag may follow which (l, l), and which may begin (l,): I-X only after B-X or I-X."""
    follows = [
        [not two.startswith("I-") or (one[:2] in ("B-", "I-") and one[2:] == two[2:]) for two in tags] for one in tags
    ]
    return np.array(follows), np.array([not tag.startswith("I-") for tag in tags])
