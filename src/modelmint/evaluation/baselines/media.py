"""Images and recordings to labels: logistic regression or neighbours on a few numbers each.

Of an image its pixels at 16 x 16; of a recording the mean and the deviation of each mel band over time.

Shapes: n rows, d numbers a row, m mel bands, f frames.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core import tables
from modelmint.core.media import Picture, Sound, open_audio, resample
from modelmint.core.types import Dataset
from modelmint.evaluation.baselines.cheap import MAX_BYTES, Asked, Cheap, believed, no_rows, same_for_all
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.baselines.texts import logistic
from modelmint.evaluation.predict import Predictions

MAX_ROWS = 10_000
PICTURE = Picture(height=16, width=16, channels=3)
RATE, MAX_SECONDS, NUM_MELS = 16_000, 10.0, 64
NUM_NEIGHBOURS = 5
STRENGTH = 0.1  # of standardised numbers
MAX_STEPS = 200

Vectors = npt.NDArray[np.float32]


def labels_of_media(kind: str, asked: Asked) -> Cheap:
    """``{"label", "score"}`` a row of ``image`` or ``audio``.

    Raises:
        DataError: a row cannot be decoded, or no training row has a label.
    """
    column = "image" if asked.task.startswith("image") else "audio"
    read: Callable[[bytes], Vectors] = _pixels if column == "image" else _spectra
    if asked.train.num_rows == 0:
        raise no_rows([column, "label"])
    sample = tables.sample(asked.train, max_rows=MAX_ROWS, max_bytes=MAX_BYTES)
    if kind == "majority":
        known = [str(label) for label in tables.column(sample, "label") if label is not None]
        return Cheap(name=NAMES[kind], num_rows=len(known), answer=lambda: same_for_all(known, asked.test.num_rows))
    vectors_nd, labels = _vectors(sample, column, read, asked), tables.column(sample, "label")
    truth = np.asarray([str(label) for label in labels], dtype=object)
    middle, spread = vectors_nd.mean(axis=0), vectors_nd.std(axis=0) + 1e-3
    model = _fitted(kind, (vectors_nd - middle) / spread, truth, asked.seed)

    def answer() -> Predictions:
        rows = (_vectors(asked.test, column, read, asked) - middle) / spread
        return believed([str(name) for name in model.classes_], model.predict_proba(rows))

    what = "pixels" if column == "image" else "mean spectra"
    name = f"{NUM_NEIGHBOURS} nearest neighbours by {what}" if kind == "nearest" else NAMES[kind]
    return Cheap(name=name, num_rows=len(truth), answer=answer)


def _fitted(kind: str, vectors_nd: Vectors, truth: Any, seed: int) -> Any:
    if kind == "nearest" or len(set(truth)) == 1:
        from sklearn.neighbors import KNeighborsClassifier

        num = min(NUM_NEIGHBOURS, len(truth))
        return KNeighborsClassifier(num, weights="distance", algorithm="brute").fit(vectors_nd, truth)
    return logistic(vectors_nd, truth, seed=seed, strength=STRENGTH, max_steps=MAX_STEPS)


def _vectors(dataset: Dataset, column: str, read: Callable[[bytes], Vectors], asked: Asked) -> Vectors:
    """(n, d) of every row, batch by batch."""
    found: list[Vectors] = []
    for batch in tables.batches(dataset, [column]):
        asked.ctx.check()
        found += [read(content or b"") for content in batch.column(column).to_pylist()]
        asked.ctx.say(len(found), dataset.num_rows, f"the baseline reads {column}s")
    return np.stack(found)


def _pixels(content: bytes) -> Vectors:
    return np.asarray(PICTURE.read(content).ravel() / np.float32(255), np.float32)


def _spectra(content: bytes) -> Vectors:
    """The levels of its own length: silence that fills would count as sound."""
    samples_s, rate = open_audio(content)
    samples_s = resample(samples_s, rate, RATE)
    seconds = min(MAX_SECONDS, len(samples_s) / RATE)
    levels_mf = Sound(rate=RATE, seconds=seconds, num_mels=NUM_MELS).spectrogram(samples_s)
    return np.concatenate([levels_mf.mean(axis=1), levels_mf.std(axis=1)]).astype(np.float32)
