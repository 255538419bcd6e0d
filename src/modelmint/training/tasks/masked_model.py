"""A trained masked language model as the reference: it fills in hidden words, and tells how surprised it is. Imports PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from modelmint.core.errors import DataError
from modelmint.core.types import JSON
from modelmint.training.batches import pad_batch
from modelmint.training.corpus import Corpus, open_whole
from modelmint.training.masked import MaskedModel, load_masked_base
from modelmint.training.tasks.masked_language_model import Hidden, hidden_losses, hidden_of, pieces_of
from modelmint.training.tasks.table import read_about

SEED = 0  # of what is hidden when a text is scored: always the same


class MaskedWords:
    """A trained masked language model. One thread at a time may call it."""

    def __init__(self, model: MaskedModel, tokenizer: Any, hidden: Hidden, *, max_tokens: int, masked: float) -> None:
        self.max_tokens = max_tokens
        self._model, self._tokenizer, self._hidden, self._masked = model, tokenizer, hidden, masked

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"loss", "tokens", "right"}`` a row of the column ``text``: some of its tokens are hidden, always the same;
        the summed cross entropy of these, how many they are, and how many are guessed."""
        found = []
        for at, text in enumerate(rows["text"]):
            corpus = Corpus.of([text], self._tokenizer, before=[], after=[])
            pieces = pieces_of(corpus, self._hidden, self.max_tokens, joined=False)
            sums = hidden_losses(self._model, pieces, self._hidden, self._masked, SEED).sum(dim=0).tolist()
            found.append({"loss": sums[0], "tokens": int(sums[1]), "right": int(sums[2])})
            if say is not None:
                say(at + 1, len(rows["text"]), "reading texts")
        return found

    def fill(self, texts: Sequence[str], num_words: int = 5) -> list[list[JSON]]:
        """(N,) for each text, which has the mask token once, the likeliest ``{"token", "score"}``.

        Raises:
            DataError: a text has no mask token within `max_tokens`, or several.
        """
        self._model.train(False)
        answers = []
        for text in texts:
            ids = self._tokenizer.encode(text).ids[: self.max_tokens]
            if ids.count(self._hidden.mask_id) != 1:
                mask = self._tokenizer.id_to_token(self._hidden.mask_id)
                num = ids.count(self._hidden.mask_id)
                raise DataError(f"text: must have {mask} once within {self.max_tokens} tokens; has it {num} times")
            batch = pad_batch([ids], self._hidden.pad_id, next(self._model.parameters()).device)
            with torch.no_grad():
                logits_nv = self._model(**batch, places=batch["input_ids"] == self._hidden.mask_id).float()
            scores, token_ids = logits_nv[0].softmax(dim=0).topk(num_words)
            tokens = [self._tokenizer.id_to_token(token_id) for token_id in token_ids.tolist()]
            answers.append([{"token": one, "score": score} for one, score in zip(tokens, scores.tolist(), strict=True)])
        return answers


def load_masked(folder: Path) -> MaskedWords:
    """The masked language model in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    about, tokenizer = read_about(folder), open_whole(folder)
    model = load_masked_base(folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    return MaskedWords(
        model,
        tokenizer,
        hidden_of(folder, tokenizer),
        max_tokens=int(about["max_tokens"]),
        masked=float(about["masked"]),
    )
