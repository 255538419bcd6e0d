"""Tables: default of credit cards in Taiwan, German credit, churn of a telephone company; three ways to learn.

Published: gradient boosting reaches an AUC of about 0.78 on the first (Yeh and Lien 2009 and after). None of the three has
a published split: a fifth is the test set, a tenth validation, by one seed.
"""

import csv
import gzip
import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from stage_context import NUM_THREADS, stage_context

from modelmint.evaluation.metrics.tables import measure_classes
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
SETS = {
    "credit_default_tw": ("all.csv.gz", "default_next_month", {"ID"}),
    "german_credit": ("all.csv", "class", set[str]()),
    "telco_churn": ("all.csv.gz", "Churn", {"customerID"}),
}
FLOORS = {"credit_default_tw boosting auc": 0.775}


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval and, where there is one, the floor; quick: 1,000 rows of each, trees alone."""
    figures: dict[str, Any] = {}
    for name in SETS:
        rows = _rows(name)[: 1_000 if quick else None]
        for model in ("boosting",) if quick else ("boosting", "linear", "network"):
            with tempfile.TemporaryDirectory() as folder:
                for metric, figure in _measured(rows, model, Path(folder)).items():
                    key = f"{name} {model} {metric}"
                    floor = {"floor": FLOORS[key]} if key in FLOORS and not quick else {}
                    figures[key] = dict(figure) | floor
    return figures


def _measured(rows: list[dict[str, Any]], model: str, home: Path) -> dict[str, Any]:
    fifth, tenth = len(rows) // 5, len(rows) // 10
    test, validation, learned = rows[:fifth], rows[fifth : fifth + tenth], rows[fifth + tenth :]
    context = stage_context(home, seed=SEED, num_threads=NUM_THREADS)
    sets = [
        context.desk.dataset(role, pa.Table.from_pylist(given), facts={"task": "tabular-classification"})
        for role, given in (("train", learned), ("validation", validation))
    ]
    outputs = train(TrainSpec(options={"model": model}), TrainInputs(train=sets[0], validation=sets[1]), context)
    columns = {key: [row[key] for row in test] for key in test[0]}
    answers = open_model(outputs.model.files.folder()).predict(columns)
    return dict(measure_classes(columns, answers, seed=SEED))


def _rows(name: str) -> list[dict[str, Any]]:
    file, label, left_out = SETS[name]
    path = SHARED / name / file
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    rows = [
        {"_row": f"r{at}", **{key: row[key] for key in row if key not in left_out | {label}}, "label": row[label]}
        for at, row in enumerate(read)
    ]
    random.Random(SEED).shuffle(rows)
    return rows
