"""What a user of MovieLens 100k rates next: a sequence model and a two-tower model beside popularity, item-kNN and ALS.

Protocol, the same for all: of each user the newest row is test, the one before it validation, the rest is learned from
(`split: {time: time, each: user}`; rows of one second in an order that the seed draws); at test the history is all
before, with the validation row; all items that the user had not yet are ranked, none is sampled (Krichene and Rendle
2020); NDCG and hit rate at 10, one item to find. Baselines are tuned on the validation rows by a grid, the models choose
their epoch by them. The floor: NDCG above that of the best baseline on the same test rows.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from stage_context import NUM_THREADS, busy_s, stage_context

from modelmint.core.tables import read
from modelmint.core.types import Model
from modelmint.data.collect import CollectInputs, CollectSpec, collect
from modelmint.data.split import SplitInputs, SplitOutputs, SplitSpec, split
from modelmint.evaluation.metrics.recommendation import measure
from modelmint.training.recommendation import baselines
from modelmint.training.recommendation.histories import Histories, Questions
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
MODELS = ("sequence", "two-tower")


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval; the floor of each model is the best baseline. Quick: two epochs, no tuning."""
    torch.set_num_threads(NUM_THREADS)
    few = {"epochs": 2} if quick else {}
    with tempfile.TemporaryDirectory() as folder:
        sets = divided(Path(folder))
        figures = _baselines(sets, tuned=not quick)
        best = max(figures[name]["ndcg_at_10"]["value"] for name in figures)
        for model in MODELS:
            context = stage_context(Path(folder) / model, seed=SEED, num_threads=NUM_THREADS)
            began_s = busy_s()
            spec = TrainSpec(options={"model": model, "baselines": False}, **few)
            made = train(spec, TrainInputs(train=sets.train, validation=sets.validation), context).model
            seconds = busy_s() - began_s
            figures[model] = {**_judged(made, sets), "seconds": round(seconds, 1), "floor": best}
    return figures


def divided(home: Path) -> SplitOutputs:
    """MovieLens 100k, collected and split."""
    context = stage_context(home / "data", seed=SEED, num_threads=NUM_THREADS)
    source = str(SHARED / "movielens_100k" / "ratings.csv.gz")
    data = collect(CollectSpec(source=source, task="recommendation", time="timestamp"), CollectInputs(), context).data
    return split(SplitSpec(time="time", each="user"), SplitInputs(data=data), context)


def _baselines(sets: SplitOutputs, *, tuned: bool) -> dict[str, Any]:
    histories = Histories.read(sets.train, "train", None)
    asked = Questions.read(sets.validation, histories, "validation", None)
    fitted = baselines.fit_all(histories, asked if tuned else _nothing(), seed=SEED)
    before = histories.longer_by(sets.validation, "validation", None)
    test = Questions.read(sets.test, before, "test", None)
    return baselines.told(fitted, test, len(histories.items), seed=SEED)


def _nothing() -> Questions:
    import numpy as np

    return Questions(histories=(), items_q=np.empty(0, np.int64))


def _judged(model: Model, sets: SplitOutputs) -> dict[str, Any]:
    rows = read(sets.test, ["user", "item"]).to_pydict()
    answers = open_model(model.files.folder()).predict({"user": rows["user"]})
    return dict(measure({"item": rows["item"]}, answers, seed=SEED))


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(run("--quick" in sys.argv), indent=1))
