"""Images and recordings from nothing: MNIST, 2,000 rows of Fashion-MNIST, spoken digits; the published test sets.

Published: small convolutional networks above 0.99 on MNIST (LeCun et al. 1998 and after); no figure for the others at
this size. Validation is a part of the training rows.
"""

import csv
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from stage_context import NUM_THREADS, busy_s, stage_context

from modelmint.data.sources.idx_rows import idx_parts, idx_rows
from modelmint.data.sources.rows import Reading
from modelmint.evaluation.metrics.classification import measure_answers
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
FLOORS = {"mnist": 0.99, "fashion_mnist_small": 0.84, "fsdd": 0.97}
CLOTHES = {"augment": {"flip": True, "rotate": 0, "zoom": 0.05}}
Rows = list[dict[str, Any]]


def run(quick: bool) -> dict[str, Any]:
    """Name -> accuracy on the published test with its interval, the seconds of training, and the floor.

    Quick: 600 rows and a few steps of each, to see them work.
    """
    figures: dict[str, Any] = {}
    for name, floor in FLOORS.items():
        kind = "audio" if name == "fsdd" else "image"
        rows, test = _recordings() if kind == "audio" else _images(name)
        random.Random(SEED).shuffle(rows)
        spec: dict[str, Any] = {"options": CLOTHES} if name == "fashion_mnist_small" else {}
        if quick:
            rows, test, spec = rows[:600], test[:200], spec | {"max_steps": 10}
        with tempfile.TemporaryDirectory() as folder:
            began = busy_s()
            figure = _accuracy(rows, test, kind, spec, Path(folder))
            figures[f"{name} accuracy"] = figure | ({} if quick else {"floor": floor})
            figures[f"{name} seconds"] = round(busy_s() - began, 1)
    return figures


def _accuracy(rows: Rows, test: Rows, kind: str, spec: dict[str, Any], home: Path) -> dict[str, Any]:
    context, held_out = stage_context(home, seed=SEED, num_threads=NUM_THREADS), max(100, len(rows) // 20)
    sets = [
        context.desk.dataset(role, pa.Table.from_pylist(given), facts={"task": f"{kind}-classification"})
        for role, given in (("train", rows[held_out:]), ("validation", rows[:held_out]))
    ]
    outputs = train(TrainSpec(**spec), TrainInputs(train=sets[0], validation=sets[1]), context)
    answers = open_model(outputs.model.files.folder()).predict({kind: [row[kind] for row in test]})
    return dict(measure_answers({"label": [row["label"] for row in test]}, answers, seed=SEED)["accuracy"])


def _images(name: str) -> tuple[Rows, Rows]:
    found: dict[str, Rows] = {}
    for part in idx_parts(SHARED / name):
        read = idx_rows(part, Reading())
        found[part.split or "train"] = [
            {"_row": f"{part.split}-{row.number}", "image": row.cells["image"], "label": row.cells["label"]}
            for row in read
        ]
    return found["train"], found["test"]


def _recordings() -> tuple[Rows, Rows]:
    folder = SHARED / "fsdd"
    parts: dict[str, Rows] = {"train": [], "test": []}
    with zipfile.ZipFile(folder / "recordings.zip") as packed, (folder / "index.csv").open(encoding="utf-8") as index:
        places = {Path(name).name: name for name in packed.namelist()}
        for row in csv.DictReader(index):
            content = packed.read(places[Path(row["file"]).name])
            parts[row["split"]].append({"_row": row["file"], "audio": content, "label": row["digit"]})
    return parts["train"], parts["test"]
