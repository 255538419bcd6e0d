"""Embeddings and rerankers: what training adds to the base's own nearest neighbours.

Banking77: queries are the test texts, the corpus the training texts, right are those with the query's label. Recall at
10 is of at most ten (a label has 35 to 187 training texts); accuracy at 1 is that of the nearest neighbour's label. The
training texts are also what the embedding learns from, as in use: the corpus is what is known. A second figure searches
the test texts among themselves, none of which was seen.

CSL: queries are titles of Chinese papers, the corpus the abstracts of the 1,000 test papers, right is the paper's own.
There is no Chinese base without a network, so that the embedding begins from nothing with 1,000 pairs: its floor is the
same network untrained. The reranker orders lists of 20 abstracts that are most alike in their letters; its floor is
their order by likeness of letters.
"""

import csv
import gzip
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from recommendation import SEED, SHARED
from stage_context import NUM_THREADS, busy_s, stage_context

from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics.retrieval import Found, figures, measure, measure_reranked, ranked, search
from modelmint.training.bases import resolve
from modelmint.training.tasks import open_model
from modelmint.training.tasks.candidates import Lists
from modelmint.training.tasks.text_embedding import Embedder
from modelmint.training.train import TrainInputs, TrainSpec, train

Rows = list[dict[str, Any]]
NUM_VALIDATION = 1_000
MAX_TOKENS = 128


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval, and the floor. Quick: fewer rows and steps."""
    torch.set_num_threads(NUM_THREADS)
    return banking77(quick) | csl(quick)


def banking77(quick: bool, **spec: Any) -> dict[str, Any]:
    """The starter base before and after."""
    rows, test = (_table(SHARED / "banking77" / f"{name}.csv") for name in ("train", "test"))
    random.Random(SEED).shuffle(rows)
    validation, rows = rows[:NUM_VALIDATION], rows[NUM_VALIDATION:]
    if quick:
        rows, test, validation = rows[:2_000], test[:1_000], validation[:300]
    before = _labelled(Embedder(resolve("starter").folder, MAX_TOKENS), rows, test)
    with tempfile.TemporaryDirectory() as folder:
        made, seconds = _trained(Path(folder), "text-classification", rows, validation, task="text-embedding", **spec)
        after = _labelled(open_model(made.files.folder()), rows, test)
    return {
        f"banking77 {name}": {**after[name], "floor": before[name]["value"], "base": before[name], "seconds": seconds}
        for name in after
    }


def csl(quick: bool, **spec: Any) -> dict[str, Any]:
    """Titles to abstracts, from nothing."""
    rows, test = (_papers(SHARED / "csl" / f"title_{name}.csv.gz") for name in ("dev", "test"))
    if quick:
        rows, test = rows[:300], test[:100]
    validation, rows = rows[-100:], rows[:-100]
    shape = {"base": "none", "architecture": {"name": "transformer", "num_layers": 2}, "tokenizer": "characters"}
    few = {"max_steps": 10} if quick else {}
    truth = {name: [row[name] for row in test] for name in ("query", "positive")}
    found = {}
    for task, judge in (("text-embedding", measure), ("text-reranking", measure_reranked)):
        how = {**shape, **few, "max_tokens": 256, **spec}
        with tempfile.TemporaryDirectory() as folder:
            made, seconds = _trained(Path(folder), "text-retrieval", rows, validation, task=task, **how)
            figure = judge(truth, open_model(made.files.folder()).predict(truth), seed=SEED)
        found[f"csl {task}"] = {**figure, "seconds": seconds}
    found["csl text-reranking"]["floor"] = _by_letters(truth)
    return found


def _labelled(embedder: Any, rows: Rows, test: Rows) -> dict[str, Any]:
    corpus, queries = (embedder.encode([row["text"] for row in some]).numpy() for some in (rows, test))
    of_label: dict[str, set[int]] = {}
    for at, row in enumerate(rows):
        of_label.setdefault(row["label"], set()).add(at)
    found = figures(search(queries, corpus, [of_label.get(row["label"], set()) for row in test]), seed=SEED)
    answers = [{"embedding": vector} for vector in queries.tolist()]
    unseen = measure({"label": [row["label"] for row in test]}, answers, seed=SEED)
    return {**found, **{f"{name} among test texts": figure for name, figure in unseen.items()}}


def _by_letters(truth: dict[str, list[str]]) -> float:
    """NDCG at 10 of the lists in the order of their letters' likeness, with the right paper where it stands in it."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    lists = Lists.of_queries(truth["query"], truth["positive"], [None] * len(truth["query"]), num_candidates=20)
    weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    matrix = weigh.fit_transform(lists.texts)
    judged: list[tuple[list[float], list[bool]]] = []
    for query, documents, right in lists.judged(None):
        judged.append(((matrix[documents] @ matrix[[query]].T).toarray()[:, 0].tolist(), right))
    found: Found = ranked(judged)
    return float(figures(found, seed=SEED)["ndcg_at_10"]["value"])


def _trained(home: Path, form: str, rows: Rows, validation: Rows, **spec: Any) -> tuple[Model, float]:
    context = stage_context(home, seed=SEED, num_threads=NUM_THREADS)
    began_s = busy_s()
    inputs = TrainInputs(
        train=_dataset(context, "train", form, rows), validation=_dataset(context, "validation", form, validation)
    )
    made = train(TrainSpec(**spec), inputs, context)
    return made.model, round(busy_s() - began_s, 1)


def _dataset(context: StageContext, name: str, form: str, rows: Rows) -> Dataset:
    schema = pa.schema([("_row", pa.string()), *FORMS[form].columns])
    table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)], schema=schema)
    return context.desk.dataset(name, table, facts={"task": form})


def _table(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _papers(path: Path) -> Rows:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return [{"query": row["title"], "positive": row["text"]} for row in csv.DictReader(stream)]


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(run("--quick" in sys.argv), indent=1, default=np.ndarray.tolist))
