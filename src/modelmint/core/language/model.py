"""py3langid's naive Bayes model, run on many texts at once: its automaton steps over one byte of every text together.

The same scores as `LanguageIdentifier(norm_probs=True)` gives one by one (`tests/data/test_languages.py` compares them),
about five times as fast. Its file is NumPy arrays in LZMA, loaded with ``allow_pickle=False``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_BYTES = 1200
"""How much of a text is read: the model is sure long before."""

_OF_SCRIPT = {
    "Cyrillic": {"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg", "tt", "ba"},
    "Arabic": {"ar", "ary", "arz", "fa", "ur", "ps", "ug", "sdh"},
    "Devanagari": {"hi", "mr", "ne", "sa", "gom"},
    "Bengali": {"bn", "as"},
}
_NOT_LATIN = {
    *(_OF_SCRIPT["Cyrillic"] - {"sr"}), *_OF_SCRIPT["Arabic"], *_OF_SCRIPT["Devanagari"], *_OF_SCRIPT["Bengali"],
    "am", "dz", "el", "grc", "gu", "hbo", "he", "hy", "ja", "ka", "km", "kn", "ko", "lo", "ml", "my", "or", "pa", "si",
    "ta", "te", "th", "wuu", "yue", "zh", "zxx",
}  # fmt: skip
_FOLDED = {"ary": "ar", "arz": "ar", "nn": "no", "pcm": "en", "sdh": "ku", "uzs": "uz", "gug": "gn"}
"""Close kin that short texts cannot be told apart by."""


def classify(texts: Sequence[str], script: str) -> list[tuple[str, float]]:
    """The likeliest language of each text among those of a script, and its probability among them."""
    columns, names = _columns(script)
    if not len(columns):
        return [("und", 0.0)] * len(texts)
    encoded = [_encoded(text) for text in texts]
    scores = _scores(_model(), encoded, columns)
    scores /= np.sqrt([[max(len(one), 1)] for one in encoded])  # the library's temperature
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    folded = np.zeros((len(texts), len(names)))
    places = {name: at for at, name in enumerate(names)}
    for at, column in enumerate(columns):
        folded[:, places[_name(_model().names[column])]] += scores[:, at]
    best = folded.argmax(axis=1)
    return [(names[at], float(row[at])) for at, row in zip(best, folded, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Model:
    """The automaton over bytes (S states) and the weights (F features, C classes)."""

    next_row: npt.NDArray[Any]
    """(rows * 256,) the state after a byte."""
    row: npt.NDArray[np.int64]
    """(S,) where a state's row begins."""
    feature: npt.NDArray[np.int32]
    """(S,) the feature that ends in a state, or -1."""
    weights: npt.NDArray[np.float16]
    """(F, C)"""
    prior: npt.NDArray[np.float32]
    """(C,)"""
    names: list[str]


@lru_cache(maxsize=1)
def _model() -> _Model:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    loaded = LanguageIdentifier.from_model_file(MODEL_FILE)
    return _Model(
        next_row=np.asarray(loaded.tk_nextmove),
        row=np.asarray(loaded.tk_row).astype(np.int64) << 8,
        feature=np.asarray(loaded.tk_output, np.int32),
        weights=loaded.nb_ptc,
        prior=loaded.nb_pc,
        names=list(loaded.nb_classes),
    )


@lru_cache(maxsize=8)
def _columns(script: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The model's classes of a script, and their names once folded."""
    wanted = _OF_SCRIPT.get(script)
    names = _model().names
    columns = [
        at for at, name in enumerate(names) if (name in wanted if wanted is not None else name not in _NOT_LATIN)
    ]
    return np.array(columns, np.int64), sorted({_name(names[at]) for at in columns})


def _name(name: str) -> str:
    return _FOLDED.get(name, name)


@lru_cache(maxsize=8)
def _weights(script_columns: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(_model().weights[:, list(script_columns)]).astype(np.float32)


def _encoded(text: str) -> bytes:
    lowered = text.lower() if text.isupper() else text
    return lowered.encode("utf-8", "replace")[:MAX_BYTES]


def _scores(model: _Model, texts: Sequence[bytes], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(N, columns) log posteriors: the texts are sorted by length, so that each step is over those that go on."""
    from scipy.sparse import csr_array

    lengths = np.array([len(text) for text in texts])
    order = np.argsort(-lengths, kind="stable")
    grid = np.zeros((len(texts), int(lengths.max(initial=0))), np.uint8)
    for place, at in enumerate(order):
        grid[place, : lengths[at]] = np.frombuffer(texts[at], np.uint8)
    state = np.zeros(len(texts), np.int64)
    hits: list[npt.NDArray[np.int64]] = []
    num_features = len(model.weights)
    alive = np.searchsorted(-lengths[order], -np.arange(grid.shape[1]), side="left")
    for step, num in enumerate(alive.tolist()):
        state[:num] = model.next_row[model.row[state[:num]] + grid[:num, step]]
        feature = model.feature[state[:num]]
        (where,) = np.nonzero(feature >= 0)
        hits.append(where * num_features + feature[where])
    pairs, counts = np.unique(np.concatenate(hits) if hits else np.zeros(0, np.int64), return_counts=True)
    counted = csr_array(
        (np.log1p(counts).astype(np.float32), (pairs // num_features, pairs % num_features)),
        shape=(len(texts), num_features),
    )
    scores = np.empty((len(texts), len(columns)))
    scores[order] = counted @ _weights(tuple(columns.tolist())) + model.prior[columns]
    return scores
