"""Language models and models from nothing: each architecture beside a cheap way, and beside nanoGPT's CPU recipe.

tinyshakespeare: characters, the first 90 % to train and the rest to validate, as nanoGPT does; the loss is the mean over
all blocks. Processor time, at one thread, is that of all training steps; a plain loop of nanoGPT's settings
(`plain_gpt`) runs in the same process before it. rt_polarity: the published split; chnsenticorp: rows marked `in_train`
are left out of the test. wikitext2 (words, as published) and chinese_poetry (characters, a poem a row) are quick sizes.
"""

import csv
import gzip
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from stage_context import stage_context

from modelmint.core.sampling import Sampling
from modelmint.evaluation.metrics import classification, language
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train

sys.path.insert(0, str(Path(__file__).parent))
from plain_gpt import trained as plain_gpt

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
ARCHITECTURES = ("transformer", "lstm", "text-cnn")
SMALL = {"name": "transformer", "num_layers": 4, "width": 128, "num_heads": 4}
SHAKESPEARE: dict[str, Any] = {
    "architecture": SMALL,
    "tokenizer": "characters",
    "max_tokens": 64,
    "batch_size": 12,
    "learning_rate": 3e-3,
    "weight_decay": 0.1,
    "encoder_dropout": 0.0,
    "precision": "fp32",
    "epochs": 2,
    "max_steps": 1_500,
}
Rows = list[dict[str, Any]]


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure and, where there is one, the floor; quick: a few steps each, to see them work."""
    few: dict[str, Any] = {"max_steps": 20, "epochs": 1, "min_steps": 0} if quick else {}
    return {
        **_shakespeare(few),
        **_classified("rt_polarity", few, *_rt_polarity()),
        **_classified("chnsenticorp", few | {"tokenizer": "characters", "max_tokens": 256}, *_chnsenticorp()),
        **_poems(few),
        **_wikitext(few),
    }


def _shakespeare(few: dict[str, Any]) -> dict[str, Any]:
    text = gzip.decompress((SHARED / "tinyshakespeare/input.txt.gz").read_bytes()).decode()
    parts = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    numbers = {one: at for at, one in enumerate(sorted(set(text)))}
    torch.set_num_threads(1)
    plain = plain_gpt(
        *(torch.tensor([numbers[one] for one in part]) for part in parts),
        len(numbers),
        **({"steps": few["max_steps"]} if few else {}),
    )
    found: dict[str, Any] = {"tinyshakespeare: plain nanoGPT loop": plain}
    for name, changes in {
        "transformer": {},
        "lstm": {"architecture": {"name": "lstm", "num_layers": 2, "width": 192}},
    }.items():
        began_s = time.process_time()
        made = _made("text-generation", SHAKESPEARE | changes | few, *([{"text": part}] for part in parts))
        seconds = time.process_time() - began_s
        found[f"tinyshakespeare: {name}, validation loss"] = {
            "value": made["facts"]["history"][-1]["validation_loss"],
            "floor": 1.80 if name == "transformer" else None,
        }
        found[f"tinyshakespeare: {name}, processor seconds by the plain loop's"] = seconds / plain["cpu_seconds"]
    return found


def _classified(name: str, spec: dict[str, Any], rows: Rows, validation: Rows, test: Rows) -> dict[str, Any]:
    truth = {"label": [row["label"] for row in test]}
    found: dict[str, Any] = {f"{name}: TF-IDF and logistic regression": _cheap(rows, test)}
    for architecture in ARCHITECTURES:
        made = _made("text-classification", {"architecture": architecture} | spec, rows, validation, test)
        figure = classification.measure_answers(truth, made["answers"], seed=SEED)["accuracy"]
        found[f"{name}: {architecture} from nothing, accuracy"] = figure
    return found


def _poems(few: dict[str, Any]) -> dict[str, Any]:
    rows, validation, test = (_poetry(part) for part in ("train", "dev", "test"))
    spec = {"architecture": SMALL, "tokenizer": "characters", "max_tokens": 128, "options": {"packing": "rows"}}
    made = _made("text-generation", spec | {"epochs": 3} | few, rows, validation, test, write="床前明月光，")
    truth = {"text": [row["text"] for row in test]}
    return {
        "chinese_poetry: transformer": language.measure(truth, made["answers"], seed=SEED),
        "chinese_poetry: goes on with 床前明月光，": made["written"],
    }


def _wikitext(few: dict[str, Any]) -> dict[str, Any]:
    rows, validation, test = (_wiki(part) for part in ("train", "valid", "test"))
    spec = {"architecture": SMALL, "tokenizer": {"name": "bpe", "vocabulary_size": 8_000}, "max_tokens": 128}
    made = _made("text-generation", spec | {"epochs": 3, "batch_size": 16} | few, rows, validation, test)
    truth = {"text": [row["text"] for row in test]}
    figures = language.measure(truth, made["answers"], seed=SEED)
    masked = _made(
        "masked-language-model",
        {"epochs": 1, "max_steps": 300, "max_tokens": 128} | few,
        rows[:8_000],
        validation[:400],
    )
    return {
        "wikitext2: transformer": figures,
        "wikitext2: the starter as a masked language model": masked["facts"]["history"][-1],
    }


def _made(
    task: str, spec: dict[str, Any], rows: Rows, validation: Rows, test: Rows | None = None, write: str | None = None
) -> dict[str, Any]:
    form = "text-generation" if task == "masked-language-model" else task
    spec = {"base": "starter" if task == "masked-language-model" else "none", "task": task} | spec
    with tempfile.TemporaryDirectory() as home:
        context = stage_context(Path(home), seed=SEED, num_threads=1)
        sets = [
            context.desk.dataset(
                name,
                pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(given)]),
                facts={"task": form},
            )
            for name, given in (("train", rows), ("validation", validation))
        ]
        made: TrainOutputs = train(TrainSpec(**spec), TrainInputs(train=sets[0], validation=sets[1]), context)
        model: Any = open_model(made.model.files.folder())
        return {
            "facts": made.training.facts,
            "answers": model.predict({"text": [row["text"] for row in test]}) if test else [],
            "written": model.write([write], Sampling(max_new_tokens=60))[0]["text"] if write else "",
        }


def _cheap(rows: Rows, test: Rows) -> float:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(1, 4), min_df=2, max_features=200_000)
    seen = words.fit_transform([row["text"] for row in rows])
    model = LogisticRegression(C=10, max_iter=1_000).fit(seen, [row["label"] for row in rows])
    guessed = model.predict(words.transform([row["text"] for row in test]))
    return float(sum(one == row["label"] for one, row in zip(guessed, test, strict=True)) / len(test))


def _rt_polarity() -> tuple[Rows, Rows, Rows]:
    rows = _csv("rt_polarity/all.csv.gz")
    train_rows, dev, test = ([row for row in rows if row["split"] == part] for part in ("train", "dev", "test"))
    return train_rows, dev, test


def _chnsenticorp() -> tuple[Rows, Rows, Rows]:
    test = [row for row in _csv("chnsenticorp/test.csv") if row["in_train"] in ("", "0", "false", "False")]
    return _csv("chnsenticorp/train.csv.gz"), _csv("chnsenticorp/dev.csv"), test


def _poetry(part: str) -> Rows:
    with gzip.open(SHARED / f"chinese_poetry/{part}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [{"text": "\n".join(json.loads(line)["paragraphs"])} for line in stream]


def _wiki(part: str) -> Rows:
    with gzip.open(SHARED / f"wikitext2/{part}.txt.gz", "rt", encoding="utf-8") as stream:
        return [{"text": line.strip()} for line in stream if line.strip()]


def _csv(path: str) -> Rows:
    opened = gzip.open if path.endswith(".gz") else open
    with opened(SHARED / path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
