"""Labels, pairs, several labels and numbers of texts, from the starter base, each beside a cheap way on the same rows.

Fixed splits: those of the data where it has one (rt_polarity 80/10/10 by random.Random(17), sms_spam, er_products,
crowd_md_agreement, csl); of Banking77's training rows every tenth is validation. The best epoch is chosen by the
validation rows; test rows are seen once.

Pairs are Abt-Buy's and Amazon-Google's offers (published F1 of matches, Ditto: 0.893 and 0.756, from memory). Of
MD-Agreement, where five people voted on each tweet, the labels are its topic, `offensive` (most said so) and `disputed`
(two or three did); the number is how many did.
"""

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from stage_context import NUM_THREADS, busy_s, stage_context

from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.evaluation.metrics import classification, labels, regression
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
PARTS = ("train", "dev", "test")
Rows = list[dict[str, Any]]
Cheap = Callable[[Rows, Rows], list[dict[str, Any]]]

MEASURES: dict[str, Callable[..., Any]] = {
    "text-classification": classification.measure_answers,
    "text-pair-classification": classification.measure_answers,
    "multi-label-classification": labels.measure,
    "text-regression": regression.measure,
}


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval and, where there is one, the floor; quick: a few steps each, to see them work."""
    few: dict[str, Any] = {"max_steps": 30, "epochs": 1, "min_steps": 0} if quick else {}
    one, pair, several, number = MEASURES
    thresholds = {"options": {"thresholds": "per-label"}}
    return {
        **_learned("rt_polarity", one, few, *_labelled("rt_polarity"), floor=0.83),
        **_learned("banking77", one, few, *banking77(), floor=0.935),
        **_learned("sms_spam", one, few, *_labelled("sms_spam")),
        **_learned("csl category", one, few | {"epochs": 1}, *(_table(f"csl/category_{part}") for part in PARTS)),
        **_learned("abt_buy", pair, {"max_tokens": 256} | few, *_offers("abt_buy")),
        **_learned("amazon_google", pair, few, *_offers("amazon_google")),
        **_learned("md_agreement labels", several, few, *_votes(_topics)),
        **_learned("md_agreement labels, a threshold each", several, few | thresholds, *_votes(_topics), is_again=True),
        **_learned("md_agreement number", number, few, *_votes(lambda row: {"label": float(row["votes_for_1"])})),
    }


def _learned(
    name: str,
    task: str,
    spec: dict[str, Any],
    rows: Rows,
    validation: Rows,
    test: Rows,
    *,
    floor: float | None = None,
    is_again: bool = False,
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        context = stage_context(Path(home), seed=SEED, num_threads=NUM_THREADS)
        began_s = busy_s()
        sets = [dataset(context, part, task, given) for part, given in (("train", rows), ("validation", validation))]
        made = train(TrainSpec(**spec), TrainInputs(train=sets[0], validation=sets[1]), context)
        minutes = (busy_s() - began_s) / 60
        answers = open_model(made.model.files.folder()).predict(columns(test))
    figures = MEASURES[task](columns(test), answers, seed=SEED)
    main = next(iter(figures))
    return {
        f"{name}: {main}": {**figures[main], "floor": floor},
        f"{name}: other figures": {key: figure["value"] for key, figure in figures.items() if key != main}
        | _matches(task, test, answers),
        f"{name}: minutes of training": round(minutes, 1),
        f"{name}: best epoch": made.training.facts["best_epoch"],
        **({} if is_again else {f"{name}: the cheap way": _cheap(task, rows, test)}),
    }


def _cheap(task: str, rows: Rows, test: Rows) -> dict[str, float]:
    """TF-IDF of words and characters under a linear model; of pairs, the share of words that both have."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import MultiLabelBinarizer

    if task == "text-pair-classification":
        model = LogisticRegression(class_weight="balanced").fit(_shared_words(rows), [row["label"] for row in rows])
        answers: list[dict[str, Any]] = [{"label": label} for label in model.predict(_shared_words(test))]
    else:
        seen, asked = _features([row["text"] for row in rows], [row["text"] for row in test])
        if task == "text-regression":
            model = Ridge(alpha=3.0).fit(seen, [row["label"] for row in rows])
            answers = [{"value": float(value)} for value in model.predict(asked)]
        elif task == "multi-label-classification":
            names = MultiLabelBinarizer()
            model = OneVsRestClassifier(LogisticRegression(C=10)).fit(
                seen, names.fit_transform([row["labels"] for row in rows])
            )
            answers = [{"labels": list(one)} for one in names.inverse_transform(model.predict(asked))]
        else:
            model = LogisticRegression(C=10).fit(seen, [row["label"] for row in rows])
            answers = [{"label": label} for label in model.predict(asked)]
    figures = MEASURES[task](columns(test), answers, seed=SEED)
    return {key: figure["value"] for key, figure in figures.items()} | _matches(task, test, answers)


def _matches(task: str, test: Rows, answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of pairs the F1 of those that match, which is what is published."""
    if task != "text-pair-classification":
        return {}
    table = classification.per_class([row["label"] for row in test], [answer["label"] for answer in answers])
    return {"f1 of matches": next(row["f1"] for row in table if row["label"] == "match")}


def _features(texts: Sequence[str], asked: Sequence[str]) -> tuple[Any, Any]:
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    ways = [
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2),
        TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5), min_df=2, max_features=100_000),
    ]
    parts = [(way.fit_transform(texts), way.transform(asked)) for way in ways]
    return hstack([one for one, _ in parts], format="csr"), hstack([other for _, other in parts], format="csr")


def _shared_words(rows: Rows) -> list[list[float]]:
    found = []
    for row in rows:
        first, second = set(row["text"].split()), set(row["text_pair"].split())
        both = len(first & second)
        found.append([both / max(len(first | second), 1), both / max(min(len(first), len(second)), 1), float(both)])
    return found


def _labelled(name: str) -> tuple[Rows, Rows, Rows]:
    rows = _table(f"{name}/all")
    return tuple([row for row in rows if row["split"] == part] for part in PARTS)  # type: ignore[return-value]


def banking77() -> tuple[Rows, Rows, Rows]:
    rows, test = _table("banking77/train"), _table("banking77/test")
    return [row for at, row in enumerate(rows) if at % 10], rows[::10], test


def _offers(name: str) -> tuple[Rows, Rows, Rows]:
    def read(part: str) -> Rows:
        with gzip.open(SHARED / f"er_products/{name}_{part}.jsonl.gz", "rt", encoding="utf-8") as stream:
            pairs = [json.loads(line) for line in stream]
        said = {0: "other", 1: "match"}
        return [
            {
                "text": " ".join(pair["left"].values()),
                "text_pair": " ".join(pair["right"].values()),
                "label": said[pair["label"]],
            }
            for pair in pairs
        ]

    return read("train"), read("dev"), read("test")


def _votes(target: Callable[[dict[str, str]], dict[str, Any]]) -> tuple[Rows, Rows, Rows]:
    return tuple(  # type: ignore[return-value]
        [{"text": row["text"], **target(row)} for row in _table(f"crowd_md_agreement/{part}")] for part in PARTS
    )


def _topics(row: dict[str, str]) -> dict[str, Any]:
    said = {"offensive": row["majority"] == "1", "disputed": row["votes_for_1"] in ("2", "3")}
    return {"labels": [row["domain"], *(name for name, holds in said.items() if holds)]}


def _table(path: str) -> Rows:
    plain = SHARED / f"{path}.csv"
    content = plain.read_bytes() if plain.exists() else gzip.decompress(Path(f"{plain}.gz").read_bytes())
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def columns(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def dataset(context: StageContext, name: str, task: str, rows: Rows) -> Dataset:
    columns = FORMS[task].columns
    schema = pa.schema([pa.field("_row", pa.string()), *columns])
    given = [{"_row": f"{name}{at}"} | {key: row[key] for key in columns.names} for at, row in enumerate(rows)]
    made: Dataset = context.desk.dataset(name, pa.Table.from_pylist(given, schema=schema), facts={"task": task})
    return made
