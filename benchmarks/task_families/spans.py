"""Tags of words and answers cut from texts: CoNLL-2003, CLUENER, SQuAD by article; and names found for deidentify.

CoNLL-2003 and SQuAD start from the starter base, which reads no capitals and was made for sentences; CLUENER, which is
Chinese, from nothing, a character a token. SQuAD v1.1's development rows are split by article: the test articles are
seen once. The tagger of CoNLL-2003 is then asked for the people, places and organisations of pii_presidio, texts of
another kind than it learned from. Published for CoNLL-2003: BERT-base 92.4 (Devlin 2019), the best of 2003 88.8;
for CLUENER's online test set BiLSTM-CRF 70.0, BERT-base 78.8.
"""

import gzip
import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from stage_context import NUM_THREADS, busy_s

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.settings import Settings
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.personal.ner import TokenClassifier
from modelmint.evaluation.metrics import answers, entities
from modelmint.evaluation.same_sentence import same_sentence
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
Rows = list[dict[str, Any]]

CONLL: dict[str, Any] = {"base": "starter"}
CLUENER: dict[str, Any] = {"base": "none", "tokenizer": "characters"}
SQUAD: dict[str, Any] = {"base": "starter"}
NUM_TEST_ARTICLES, NUM_VALIDATION_ARTICLES = 8, 4
NAMES = {"PERSON": "person", "GPE": "place", "ORGANIZATION": "organisation"}
"""The labels of pii_presidio that a tagger of CoNLL-2003 can find."""


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval and, where there is one, the floor; quick: a few steps each, to see them work."""
    few = {"max_steps": 10} if quick else {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        model, seconds = _trained("token-classification", CONLL | few, _conll("train"), _conll("dev"), home / "en")
        figures = _tagged("conll2003", model, seconds, _conll("test"), floor=0.86)
        figures |= _names(model, 150 if quick else 1_500)
        rows = _cluener("train")
        cut = len(rows) * 9 // 10
        model, seconds = _trained("token-classification", CLUENER | few, rows[:cut], rows[cut:], home / "zh")
        figures |= _tagged("cluener", model, seconds, _cluener("dev"))
        return figures | _squad(SQUAD | few, home / "squad", quick=quick)


def _tagged(name: str, model: Path, seconds: float, test: Rows, *, floor: float | None = None) -> dict[str, Any]:
    found = open_model(model).predict({"tokens": [row["tokens"] for row in test]})
    figures = entities.measure({"tags": [row["tags"] for row in test]}, found, seed=SEED)
    return {
        f"{name}: entity F1, test": {**figures["f1"], "floor": floor},
        **{f"{name}: {key}": figure for key, figure in figures.items() if key != "f1"},
        f"{name}: seconds": round(seconds),
    }


def _squad(spec: dict[str, Any], home: Path, *, quick: bool) -> dict[str, Any]:
    rows, validation, test = _articles()
    if quick:
        rows, validation, test = rows[:200], validation[:60], test[:100]
    model, seconds = _trained("question-answering", spec, rows, validation, home)
    columns = {name: [row[name] for row in test] for name in ("question", "context", "answer", "answers")}
    told = {
        "model": answers.measure(columns, open_model(model).predict(columns), seed=SEED),
        "same sentence": answers.measure(columns, same_sentence(columns), seed=SEED),
    }
    return {
        **{
            f"squad, 8 articles: {key}, {who}": figure
            for who, figures in told.items()
            for key, figure in figures.items()
        },
        "squad, 8 articles: seconds": round(seconds),
    }


def _names(model: Path, num_texts: int) -> dict[str, Any]:
    """What the tagger finds in pii_presidio: a find is right when both its ends are those of the label."""
    texts = _lines("pii_presidio", "all")[:num_texts]
    engine = TokenClassifier(model, num_threads=NUM_THREADS)
    hits, told, true, covered = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for text, spans in zip(texts, engine.find([text["text"] for text in texts]), strict=True):
        right = {(one["start"], one["end"], NAMES[one["type"]]) for one in text["entities"] if one["type"] in NAMES}
        found = {(one.start, one.end, one.kind) for one in spans}
        true.update(kind for _, _, kind in right)
        told.update(kind for _, _, kind in found)
        hits.update(kind for _, _, kind in right & found)
        covered.update(
            kind for start, end, kind in right if any(one[0] < end and start < one[1] for one in found)
        )  # fmt: skip
    return {
        f"pii_presidio by the tagger: {kind}": {
            "precision": round(hits[kind] / max(told[kind], 1), 3),
            "recall": round(hits[kind] / max(true[kind], 1), 3),
            "covered": round(covered[kind] / max(true[kind], 1), 3),
            "n": true[kind],
        }
        for kind in NAMES.values()
    }


def _conll(part: str) -> Rows:
    return [{"tokens": row["tokens"], "tags": row["ner"]} for row in _lines("conll2003", part)]


def _cluener(part: str) -> Rows:
    """A character a token; blanks are none."""
    rows = []
    for row in _lines("cluener", part):
        tags = ["O"] * len(row["text"])
        for one in row["entities"]:
            tags[one["start"] : one["end"]] = [f"B-{one['type']}"] + [f"I-{one['type']}"] * (
                one["end"] - one["start"] - 1
            )
        kept = [at for at, letter in enumerate(row["text"]) if not letter.isspace()]
        rows.append({"tokens": [row["text"][at] for at in kept], "tags": [tags[at] for at in kept]})
    return rows


def _articles() -> tuple[Rows, Rows, Rows]:
    """Training, validation and test rows, no article in two of them."""
    lines = _lines("squad_v11_dev", "dev")
    titles = sorted({line["title"] for line in lines})
    random.Random(SEED).shuffle(titles)
    test, validation = set(titles[:NUM_TEST_ARTICLES]), set(titles[NUM_TEST_ARTICLES:][:NUM_VALIDATION_ARTICLES])
    parts: tuple[Rows, Rows, Rows] = ([], [], [])
    for line in lines:
        right = line["answers"]
        row = {
            "question": line["question"],
            "context": line["context"],
            "answer": right["text"][0],
            "answer_start": right["answer_start"][0],
            "answers": right["text"],
        }
        parts[2 if line["title"] in test else 1 if line["title"] in validation else 0].append(row)
    return parts


def _lines(name: str, part: str) -> list[dict[str, Any]]:
    with gzip.open(SHARED / name / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _trained(task: str, spec: dict[str, Any], rows: Rows, validation: Rows, home: Path) -> tuple[Path, float]:
    """The model's folder, and how many seconds its training took."""
    for folder in ("scratch", "checkpoints"):
        (home / folder).mkdir(parents=True)
    catalog = Catalog(Settings.read({}, home=home / "home"))
    try:
        desk = StagingDesk(
            folder=home / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=home / "desk"
        )

        def dataset(name: str, given: Rows) -> Dataset:
            table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(given)])
            return desk.dataset(name, table, facts={"task": task})

        context = StageContext(
            desk=desk,
            scratch=home / "scratch",
            checkpoints=home / "checkpoints",
            seed=SEED,
            num_threads=NUM_THREADS,
            machine_hour="0.10 USD",
            say=lambda _done, _total, _message: None,
            serve=None,  # type: ignore[arg-type]  # training serves nothing
        )
        inputs = TrainInputs(train=dataset("train", rows), validation=dataset("validation", validation))
        began_s = busy_s()
        made = train(TrainSpec(**spec), inputs, context)
        return made.model.files.folder(), busy_s() - began_s
    finally:
        catalog.close()


if __name__ == "__main__":
    import sys

    print(json.dumps(run("--quick" in sys.argv), indent=2))
