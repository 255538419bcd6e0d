"""Rows whose label is likely wrong: what a model that has not seen a row makes of it, against the label it was given.

Confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70): each label has its own threshold, the mean probability
that its own rows get. Theirs asks for a whole threshold on the other label's side; here both sides are asked, and less
of each, which finds more flipped labels for as many rows looked at (measured on Banking77).

Shapes: n rows, l labels, d width of the base.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.index import RowIndex, rows_at
from modelmint.training.spec import TrainSpec

NUM_EXAMPLES = 50
NUM_FOLDS = 5
MIN_TEXTS = 5  # of a label; of fewer too little can be learned to doubt them
OTHER_SHARE = 0.5  # of its threshold, that another label must reach
GIVEN_SHARE = 0.1  # of its threshold, that the given label may reach
INVERSE_PENALTY = 3.0
MAX_STEPS = 100
MAX_WORK = 4_000_000_000  # rows times labels times width; Banking77 with its test rows is at 0.4
MAX_CHARS_A_TOKEN = 32
"""What of a text is kept in memory; longer words than this are cut into tokens by every tokenizer."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """Which of n rows were looked at, which of these are suspects, and what they look like."""

    looked_at: npt.NDArray[np.bool_]
    suspect: npt.NDArray[np.bool_]
    suggested: Ints
    """(n,) the label that is likelier."""
    score: npt.NDArray[np.float64]
    """(n,) by how much it is likelier than the one given, 0 to 1."""


def find_suspects(
    train: TrainSpec, rows: RowIndex, data: Dataset, ctx: StageContext, *, max_rows: int
) -> dict[str, Any]:
    """Rows of every split that look mislabelled, the surest first; nothing is taken out.

    Args:
        rows: the index of `data`.
        max_rows: with more, a sample of so many that the seed draws; fewer where there are very many labels.

    Returns:
        ``rows``, how many are suspects; ``looked_at``, of how many; ``examples``, at most `NUM_EXAMPLES` of ``_row``,
        ``given``, ``suggested`` and ``score``.

    Raises:
        InputError, UnavailableError: the base cannot be had.
    """
    from modelmint.training.bases import resolve
    from modelmint.training.tasks import TASKS

    random, base = np.random.default_rng(ctx.seed), resolve(train.base)
    limit = min(max_rows, MAX_WORK // (max(1, len(rows.label_names)) * base.hidden_size))
    places = np.arange(len(rows))
    if len(rows) > limit:
        places = np.sort(random.choice(len(rows), limit, replace=False))
    label, group = rows.label[places].astype(np.int64), rows.fingerprint[places]
    folds = _folds(label, group, random)
    if len(_learnable(label, group, folds)) < 2:
        return {"rows": 0, "looked_at": 0, "examples": []}
    num_chars = MAX_CHARS_A_TOKEN * TASKS["text-classification"].knobs(train).max_tokens
    chosen = rows_at(data, places, ["_row", "text"])
    names, texts = zip(*((row["_row"], row["text"][:num_chars]) for row in chosen), strict=True)
    doubts = doubt(embed(train, texts, ctx), label, group, folds, check=ctx.check)
    score = doubts.score.round(4)
    ranked = sorted(np.flatnonzero(doubts.suspect).tolist(), key=lambda at: (-score[at], names[at]))
    examples = [
        {
            "_row": names[at],
            "given": rows.label_names[label[at]],
            "suggested": rows.label_names[doubts.suggested[at]],
            "score": float(score[at]),
        }
        for at in ranked[:NUM_EXAMPLES]
    ]
    return {"rows": len(ranked), "looked_at": int(doubts.looked_at.sum()), "examples": examples}


def embed(train: TrainSpec, texts: Sequence[str], ctx: StageContext) -> Floats:
    """(n, d): the mean of the base's token states, centred and of length 1, so that bases are alike."""
    import torch

    from modelmint.training.bases import resolve
    from modelmint.training.batches import logits_of, open_tokenizer
    from modelmint.training.encoders import MeanEncoder, load_encoder
    from modelmint.training.optimization import choose_precision
    from modelmint.training.tasks import TASKS

    torch.set_num_threads(ctx.num_threads)
    ctx.say(0, len(texts), "looking for wrong labels")
    base = resolve(train.base)
    model, knobs = MeanEncoder(load_encoder(base.folder)), TASKS["text-classification"].knobs(train)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenize = open_tokenizer(base.folder, min(knobs.max_tokens, base.max_tokens))
    token_ids = tokenize(texts)
    pad_id = int(model.encoder.config.pad_token_id or 0)

    def say(done: int, total: int, _message: str) -> None:
        ctx.check()
        ctx.say(done, total, f"{done:,} rows looked at for wrong labels")

    with torch.autocast(device.type, torch.bfloat16, enabled=choose_precision(knobs.precision) == "bf16"):
        states = np.asarray(logits_of(model.to(device), token_ids, pad_id, say=say).numpy(), dtype=np.float32)
    states -= states.mean(axis=0)
    unit: Floats = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)
    return unit


def doubt(
    states: Floats,
    label: Ints,
    group: npt.NDArray[np.uint64],
    folds: Ints,
    *,
    check: Callable[[], None] = lambda: None,
) -> Doubts:
    """Compare labels (n,) with what a logistic regression of the other folds makes of `states` (n, d).

    Args:
        group: equal for equal texts, which are in one fold.
    """
    known = _learnable(label, group, folds)
    looked_at = np.isin(label, known)
    given = np.searchsorted(known, label[looked_at])
    chances = _out_of_fold(states[looked_at], given, folds[looked_at], check)
    every = np.arange(len(given))
    own, other = chances[every, given], chances.argmax(axis=1)
    threshold = np.bincount(given, weights=own) / np.bincount(given)
    likelier = chances[every, other] >= OTHER_SHARE * threshold[other]
    suspect, suggested, score = np.zeros(len(label), np.bool_), label.copy(), np.zeros(len(label))
    suspect[looked_at] = (other != given) & likelier & (own <= GIVEN_SHARE * threshold[given])
    suggested[looked_at] = known[other]
    score[looked_at] = chances[every, other] - own
    return Doubts(looked_at=looked_at, suspect=suspect, suggested=suggested, score=score)


def _out_of_fold(states: Floats, given: Ints, folds: Ints, check: Callable[[], None]) -> npt.NDArray[np.float64]:
    """(n, l) probabilities, each row's from a model that has not seen it."""
    chances = np.zeros((len(given), int(given.max()) + 1))
    for model, asked in _models(states, given, folds):
        check()
        chances[asked] = model.predict_proba(states[asked])
    return chances


def _models(states: Floats, given: Ints, folds: Ints) -> Iterator[tuple[Any, npt.NDArray[np.bool_]]]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    for fold in np.unique(folds):
        model = LogisticRegression(C=INVERSE_PENALTY, tol=1e-3, max_iter=MAX_STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a little short of the best is good enough
            model.fit(states[folds != fold], given[folds != fold])
        yield model, folds == fold


def _folds(label: Ints, group: npt.NDArray[np.uint64], random: np.random.Generator) -> Ints:
    """(n,) the fold of each row: labels spread evenly, equal texts together."""
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    fold = np.empty(len(first), np.int64)
    fold[np.lexsort((random.random(len(first)), label[first]))] = np.arange(len(first)) % NUM_FOLDS
    return fold[place]


def _learnable(label: Ints, group: npt.NDArray[np.uint64], folds: Ints) -> Ints:
    """Labels, in order, with enough texts, that the models of all folds have seen."""
    texts = {(int(one), int(text)) for one, text in zip(label, group, strict=True)}
    places = {(int(one), int(fold)) for one, fold in zip(label, folds, strict=True)}
    num_texts, num_folds = (np.bincount([one for one, _ in pairs], minlength=1) for pairs in (texts, places))
    learnable: Ints = np.flatnonzero((num_texts >= MIN_TEXTS) & (num_folds >= 2))
    return learnable
