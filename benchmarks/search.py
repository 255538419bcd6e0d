"""What a search is worth: a text CNN from nothing on rt_polarity, with its defaults and with values that were found.

Three ways to the values, each with the same rows and seeds: none (the defaults), random values with every trial whole, TPE
with trials that are behind left early. The figure is the accuracy of the retrained winner on test rows that no trial saw,
with what the search cost in epochs of training and in seconds of processor time.
"""

import csv
import gzip
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from measure import SHARED, aim, arguments, report
from stage_context import stage_context

from modelmint.core.types import Dataset
from modelmint.training.search import SearchInputs, search
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

NUM_THREADS = 1
NUM_ROWS, NUM_VALIDATION = 2_000, 1_000
TRAIN: dict[str, Any] = {
    "architecture": {"name": "text-cnn", "width": 64},
    "tokenizer": {"name": "words", "vocabulary_size": 4_000},
    "max_tokens": 48,
    "epochs": 6,
    "min_steps": 0,
}
SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "batch_size": [16, 32, 64],
    "encoder_dropout": {"low": 0.0, "high": 0.6},
    "weight_decay": {"low": 1e-3, "high": 0.3, "log": True},
    "label_smoothing": {"low": 0.0, "high": 0.3},
}
WAYS = {"random": {"sampler": "random", "pruning": "none"}, "tpe": {"sampler": "tpe", "pruning": "median"}}
Rows = list[dict[str, str]]


def main() -> int:
    options = arguments(__doc__ or "")
    data = SHARED / "rt_polarity" / "all.csv.gz"
    if not data.exists():
        print(f"the data is not on this machine: {data}")
        return 0
    trials, seeds = (4, (17,)) if options.quick else (16, (17, 18, 19))
    found: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        rows = _rows(data, seed)
        for way in ("defaults", *WAYS):
            found.setdefault(way, []).append(_one(way, rows, trials=trials, seed=seed))
            print(seed, way, found[way][-1], file=sys.stderr, flush=True)
    mean = {way: statistics.mean(one["test"] for one in ones) for way, ones in found.items()}
    figures: dict[str, Any] = {
        f"{way}: {name}": ", ".join(f"{one[name]:g}" for one in ones) for way, ones in found.items() for name in ones[0]
    }
    figures |= {f"{way}: mean test accuracy": round(value, 4) for way, value in mean.items()}
    figures["rows, validation, trials, seeds"] = f"{NUM_ROWS}, {NUM_VALIDATION}, {trials}, {seeds}"
    saved = 1 - sum(one["epochs"] for one in found["tpe"]) / sum(one["epochs"] for one in found["random"])
    figures["epochs of TPE with pruning beside random"] = f"{-saved:+.0%}"
    aims = [
        aim("test accuracy of TPE over the defaults", round(mean["tpe"] - mean["defaults"], 4), least=0.0),
    ]
    return report("search", figures, aims, options=options)


def _one(way: str, rows: Rows, *, trials: int, seed: int) -> dict[str, float]:
    """The figures of one way to the values."""
    with tempfile.TemporaryDirectory() as folder:
        context = stage_context(Path(folder), seed=seed, num_threads=NUM_THREADS)
        held_out, rest = rows[:NUM_VALIDATION], rows[NUM_VALIDATION:]
        fit, test = rest[:NUM_ROWS], rest[NUM_ROWS:]
        parts = {"train": _dataset(context.desk, fit), "validation": _dataset(context.desk, held_out)}
        began_s, study = time.process_time(), None
        figures = {}
        if way in WAYS:
            spec = SearchSpec.model_validate({"train": TRAIN, "space": SPACE, "trials": trials, **WAYS[way]})
            study = search(spec, SearchInputs(**parts), context).search
            epochs = sum(len(trial["scores"]) for trial in study.facts["trials"])
            figures = {"validation": study.facts["best"]["score"], "epochs": epochs}
            figures |= {"pruned": study.facts["counts"]["pruned"], "cpu s": round(time.process_time() - began_s)}
        made = train(TrainSpec.model_validate(TRAIN), TrainInputs(**parts, search=study), context)
        model = open_model(made.model.files.folder())
        answers = model.predict({"text": [row["text"] for row in test]})
        right = [answer["label"] == row["label"] for answer, row in zip(answers, test, strict=True)]
        return {"test": round(statistics.mean(right), 4), **figures}


def _rows(data: Path, seed: int) -> Rows:
    with gzip.open(data, "rt", encoding="utf-8") as stream:
        rows = [{"text": row["text"], "label": row["label"]} for row in csv.DictReader(stream)]
    random.Random(seed).shuffle(rows)
    return rows


def _dataset(desk: Any, rows: Rows) -> Dataset:
    table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(rows)])
    made: Dataset = desk.dataset("rows", table)
    return made


if __name__ == "__main__":
    sys.exit(main())
