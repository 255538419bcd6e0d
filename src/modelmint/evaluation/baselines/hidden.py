"""Hidden words by how often tokens are: the very tokens that the model was asked for. Imports PyTorch.

Shapes: n hidden tokens of a text, v tokens of the vocabulary.
"""

import numpy as np
import torch

from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap, learned_rows
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.training.corpus import Corpus, open_whole
from modelmint.training.tasks import read_about
from modelmint.training.tasks.masked_language_model import hidden_of, masked_batch, pieces_of
from modelmint.training.tasks.masked_model import SEED

MAX_ROWS = 30_000


def guesses_of_hidden(_kind: str, asked: Asked) -> Cheap:
    """``{"loss", "tokens", "right"}`` a row of ``text``: each token as likely as it is frequent, one added to each count."""
    folder = asked.model.files.folder()
    about, tokenizer = read_about(folder), open_whole(folder)
    hidden = hidden_of(folder, tokenizer)
    found = learned_rows(asked, ["text"], max_rows=MAX_ROWS)
    known = Corpus.of(found["text"], tokenizer, before=[], after=[])
    counts_v = np.bincount(known.ids_n, minlength=hidden.num_tokens) + 1.0
    surprise_v, commonest = -np.log(counts_v / counts_v.sum()), int(np.argmax(counts_v))
    device = torch.device("cpu")

    def told(text: str) -> JSON:
        corpus = Corpus.of([text], tokenizer, before=[], after=[])
        pieces = pieces_of(corpus, hidden, int(about["max_tokens"]), joined=False)
        if not len(pieces.firsts):
            return {"loss": 0.0, "tokens": 0, "right": 0}
        rows = list(range(len(pieces.firsts)))
        batch = masked_batch(pieces, rows, hidden, float(about["masked"]), SEED, device)
        hidden_n = batch["hidden_n"].numpy()
        right = int((hidden_n == commonest).sum())
        return {"loss": float(surprise_v[hidden_n].sum()), "tokens": len(hidden_n), "right": right}

    return Cheap(
        name=NAMES["unigram"],
        num_rows=len(found["text"]),
        answer=lambda: [told(text or "") for text in asked.truth["text"]],
    )
