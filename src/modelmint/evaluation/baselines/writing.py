"""Texts to texts: the source itself, its first words, or the target of the training source that is nearest.

Which of them is the honest one hangs on the rows: copying for corrections, first words for summaries, neighbours for what
repeats itself. `auto` takes the one that does best on training rows held out from it, never on the test rows.

Shapes: n sources, m training sources.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import TypeAlias

import numpy as np

from modelmint.evaluation.baselines.cheap import Asked, Cheap, learned_rows
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.baselines.weighing import Weigh
from modelmint.evaluation.metrics.translation import is_chinese, rouge_l

MAX_ROWS = 20_000
NUM_HELD_OUT = 200
CHUNK_ROWS = 256
WAYS = ("copy", "first-words", "nearest")

Write: TypeAlias = Callable[[Sequence[str]], list[str]]


def texts_of_texts(kind: str, asked: Asked) -> Cheap:
    """``{"text"}`` a row of ``text``."""
    found = learned_rows(asked, ["text", "target"], max_rows=MAX_ROWS)
    sources, targets = found["text"], found["target"]
    way = _best(sources, targets, asked.seed) if kind == "auto" else kind
    write = _learned(way, sources, targets)
    return Cheap(
        name=NAMES[way],
        num_rows=len(sources) if way != "copy" else 0,
        answer=lambda: [{"text": text} for text in write([text or "" for text in asked.truth["text"]])],
    )


def _best(sources: Sequence[str], targets: Sequence[str], seed: int) -> str:
    """The way with the highest mean ROUGE-L on rows held out; the earlier of equals."""
    order = np.random.default_rng(seed).permutation(len(sources))
    num_held = min(NUM_HELD_OUT, len(sources) // 2)
    held, rest = order[:num_held].tolist(), order[num_held:].tolist()
    if not held:
        return WAYS[0]
    chinese = is_chinese(targets[:1_000])
    known, told = [sources[at] for at in rest], [targets[at] for at in rest]
    scores = {}
    for way in WAYS:
        written = _learned(way, known, told)([sources[at] for at in held])
        scores[way] = sum(rouge_l(text, targets[at], chinese) for text, at in zip(written, held, strict=True))
    return max(WAYS, key=lambda way: scores[way])


def _learned(way: str, sources: Sequence[str], targets: Sequence[str]) -> Write:
    if way == "copy":
        return list
    if way == "first-words":
        return _first_words(targets)
    return _nearest(sources, targets)


def _first_words(targets: Sequence[str]) -> Write:
    """As many as targets have in the median: characters of Chinese, words of others."""
    if is_chinese(targets[:1_000]):
        num_letters = int(median(len(target) for target in targets))
        return lambda texts: [text[:num_letters] for text in texts]
    num_words = int(median(len(target.split()) for target in targets))
    return lambda texts: [" ".join(text.split()[:num_words]) for text in texts]


def _nearest(sources: Sequence[str], targets: Sequence[str]) -> Write:
    """By the cosine of TF-IDF; the earlier of equals."""
    weighed = Weigh.fit(sources)
    if weighed is None:
        return list
    weigh, known_mf = weighed

    def write(texts: Sequence[str]) -> list[str]:
        places: list[int] = []
        for start in range(0, len(texts), CHUNK_ROWS):
            likeness_nm = (weigh.of(texts[start : start + CHUNK_ROWS]) @ known_mf.T).toarray()
            places += np.argmax(likeness_nm, axis=1).tolist()
        return [targets[at] for at in places]

    return write
