"""A trained language model as the reference: it goes on with texts, and tells how surprised it is by them. Imports PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelmint.core.continuing import borders, continued, fill_id, parts, prompt_of
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.training.causal import CausalModel, load_causal
from modelmint.training.corpus import Corpus, open_whole
from modelmint.training.generation import follow, generate
from modelmint.training.tasks.by_tokens import ByTokens
from modelmint.training.tasks.table import read_about
from modelmint.training.tasks.text_generation import Pieces, piece_losses

SCORED_TEXTS = 256  # at once


class LanguageModel:
    """A trained language model. One thread at a time may call it."""

    def __init__(self, model: CausalModel, tokenizer: Any, *, max_tokens: int, stop_ids: Sequence[int]) -> None:
        self.max_tokens, self.stop_ids = max_tokens, list(stop_ids)
        self._model, self._tokenizer = model, tokenizer
        self._start, self._end = borders(tokenizer, stop_ids)

    def score(
        self, texts: Sequence[str], say: Callable[[int, int, str], None] | None = None
    ) -> list[tuple[float, int]]:
        """(N,) the summed cross entropy (natural logarithm) of each text with its end, and over how many tokens.

        A text longer than `max_tokens` is read in pieces of that length, each token predicted from those before it in
        its piece; an empty text is (0, 0).
        """
        found = [(0.0, 0)] * len(texts)
        full = [at for at, text in enumerate(texts) if text]
        for start in range(0, len(full), SCORED_TEXTS):
            some = full[start : start + SCORED_TEXTS]
            given = (texts[at] for at in some)
            corpus = Corpus.of(given, self._tokenizer, before=self._start, after=self._end)
            pieces = Pieces.of(corpus, self.max_tokens, joined=False)
            losses = piece_losses(self._model, pieces, self._fill).numpy()
            text_p = np.searchsorted(corpus.starts, pieces.firsts, side="right") - 1
            sums = np.bincount(text_p, weights=losses, minlength=len(some)).tolist()
            counts = np.bincount(text_p, weights=pieces.lengths, minlength=len(some)).tolist()
            for at, loss, num in zip(some, sums, counts, strict=True):
                found[at] = (loss, int(num))
            if say is not None:
                say(some[-1] + 1, len(texts), "reading texts")
        return found

    def write(
        self,
        prompts: Sequence[str],
        sampling: Sampling | None = None,
        *,
        batch_size: int = 16,
        say: Callable[[int, int, str], None] | None = None,
    ) -> list[JSON]:
        """(N,) ``{"text", "finish"}``: how each prompt goes on, without the prompt; an empty one begins a text.

        ``finish`` is ``stop`` where the model ended the text, ``length`` where `max_new_tokens` did. What lies further
        back than `max_tokens` is no longer read.
        """
        sampling = sampling or Sampling()
        rows = [self.text_prompt(text) for text in prompts]
        lengths, open_rows = [len(row) for row in rows], list(range(len(rows)))
        for part in parts(0, sampling.max_new_tokens, self.max_tokens):
            num_new, least = part.end - part.start, sampling.min_new_tokens - part.start
            found = generate(
                self._model.encoder,
                [rows[at][-part.num_read :] for at in open_rows],
                replace(sampling, max_new_tokens=num_new, min_new_tokens=max(0, min(num_new, least))),
                stop_ids=self.stop_ids,
                pad_id=self._fill,
                batch_size=batch_size,
                say=say,
            )
            for at, one in zip(open_rows, found, strict=True):
                rows[at] += one.ids
            open_rows = [at for at, one in zip(open_rows, found, strict=True) if not one.stopped]
        return [
            {
                "text": continued(self._tokenizer, row[:length], row[length:]),
                "finish": "length" if at in open_rows else "stop",
            }
            for at, (row, length) in enumerate(zip(rows, lengths, strict=True))
        ]

    def text_prompt(self, text: str) -> list[int]:
        """Token ids of a text to go on with, at least one."""
        return prompt_of(self._tokenizer, text, self.stop_ids)

    def follow(self, ids: Sequence[int], places: Sequence[int]) -> tuple[Any, Any, Any]:
        """What the model holds of given tokens, as `serving.writers.Writer.follow`."""
        return follow(self._model, ids, places)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Texts with what begins and ends them, in the pieces in which `score` reads them; empty texts have none.

        Each token of a piece but the first is predicted, so that pieces of a text share one.
        """
        corpus = Corpus.of(texts, self._tokenizer, before=self._start, after=self._end)
        cut = Pieces.of(corpus, self.max_tokens, joined=False)
        spans = zip(cut.firsts.tolist(), cut.lengths.tolist(), strict=True)
        return [corpus.ids_n[first : first + length + 1].tolist() for first, length in spans]

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"loss", "tokens"}`` a row, as `score`, from the column ``text``."""
        return [{"loss": loss, "tokens": tokens} for loss, tokens in self.score(rows["text"], say)]

    def by_tokens(self) -> ByTokens:
        """The same model, asked by tokens."""
        return ByTokens(
            model=self._model,
            tokenizer=self._tokenizer,
            start=self._start,
            stop_ids=self.stop_ids,
            pad_id=self._fill,
            max_tokens=self.max_tokens,
        )

    @property
    def _fill(self) -> int:
        return fill_id(self.stop_ids)


def load_language_model(folder: Path) -> LanguageModel:
    """The language model in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained language model.
    """
    about = read_about(folder)
    model = CausalModel(load_causal(folder))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    return LanguageModel(
        model, open_whole(folder), max_tokens=int(about["max_tokens"]), stop_ids=list(about["stop_ids"])
    )
