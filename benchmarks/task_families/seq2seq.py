"""Texts written from texts, all from nothing: German to English, Chinese to English and back, titles of Chinese papers.

Trained on the published training rows, the best epoch chosen by the validation rows, figures on the test rows, which
are seen once. Multi30k's test_2016_flickr; Tatoeba by its own split; CSL's titles have no training file here, so that
900 of its `dev` rows are trained on and 100 choose.
"""

import csv
import gzip
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from stage_context import NUM_THREADS, busy_s, stage_context

from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.evaluation.metrics.translation import measure
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
Rows = list[dict[str, str]]

MULTI30K: dict[str, Any] = {
    "base": "none",
    "tokenizer": {"name": "bpe", "vocabulary_size": 6_000},
    "max_tokens": 128,
    "options": {"max_target_tokens": 80},
    "epochs": 12,
}
TATOEBA: dict[str, Any] = {
    "base": "none",
    "tokenizer": {"name": "unigram", "vocabulary_size": 8_000},
    "max_tokens": 96,
}
CSL: dict[str, Any] = {
    "base": "none",
    "tokenizer": {"name": "characters", "vocabulary_size": 4_000},
    "max_tokens": 320,
    "options": {"max_target_tokens": 48},
    "batch_size": 16,
    "epochs": 30,
}


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval and, where there is one, the floor; quick: a few steps each, to see them work."""
    few = {"max_steps": 30, "options": {"num_beams": 2, "max_target_tokens": 40}} if quick else {}
    csl = _rows("csl/title_dev", "text", "title")
    return {
        **_learned("multi30k de-en", MULTI30K | few, *_split("multi30k_de_en", "de", "en"), floor=25.0),
        **_learned("tatoeba zh-en", TATOEBA | few, *_split("tatoeba_zh_en", "zh", "en")),
        **_learned("tatoeba en-zh", TATOEBA | few, *_split("tatoeba_zh_en", "en", "zh")),
        **_learned(
            "csl titles", CSL | few, csl[:900], csl[900:], _rows("csl/title_test", "text", "title"), main="rouge_l"
        ),
    }


def _learned(
    name: str,
    spec: dict[str, Any],
    rows: Rows,
    validation: Rows,
    test: Rows,
    *,
    main: str = "bleu",
    floor: float | None = None,
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        context = stage_context(Path(home), seed=SEED, num_threads=NUM_THREADS)
        began_s = busy_s()
        made = train(
            TrainSpec(**spec),
            TrainInputs(train=_dataset(context, "train", rows), validation=_dataset(context, "validation", validation)),
            context,
        )
        minutes = (busy_s() - began_s) / 60
        answers = open_model(made.model.files.folder()).predict({"text": [row["text"] for row in test]})
    figures = measure({"target": [row["target"] for row in test]}, answers, seed=SEED)
    facts = made.training.facts
    return {
        f"{name}: {main}": {**figures[main], "floor": floor},
        f"{name}: other figures": {key: figure["value"] for key, figure in figures.items() if key != main},
        f"{name}: minutes of training": {"value": round(minutes, 1), "most": 40.0 if floor else None},
        f"{name}: steps": facts["steps"],
        f"{name}: best epoch": facts["best_epoch"],
        f"{name}: validation loss": facts["history"][facts["best_epoch"] - 1]["validation_loss"],
        f"{name}: parameters": facts["parameters"],
        f"{name}: pairs/s": made.training.manifest["measured"]["examples_per_s"],
    }


def _split(name: str, source: str, target: str) -> tuple[Rows, Rows, Rows]:
    train_rows, dev_rows, test_rows = (_rows(f"{name}/{part}", source, target) for part in ("train", "dev", "test"))
    return train_rows, dev_rows, test_rows


def _rows(path: str, source: str, target: str) -> Rows:
    with gzip.open(SHARED / f"{path}.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        return [{"text": row[source], "target": row[target]} for row in csv.DictReader(stream)]


def _dataset(context: StageContext, name: str, rows: Rows) -> Dataset:
    table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)])
    made: Dataset = context.desk.dataset(name, table, facts={"task": "text2text-generation"})
    return made
