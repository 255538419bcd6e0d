"""Masked language models: an encoder goes on learning, and is a base again."""

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.training.corpus import Corpus
from modelmint.training.tasks import open_model
from modelmint.training.tasks.masked_language_model import Hidden, masked_batch, pieces_of
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.tiny_base import questions, write_base

SMALL = {
    "architecture": {"name": "transformer", "num_layers": 1, "width": 32, "num_heads": 2},
    "tokenizer": {"name": "words", "vocabulary_size": 100},
}
Rows = list[dict[str, Any]]
Learn = Callable[..., TrainOutputs]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


def weeks(num_rows: int, *, seed: int = 0) -> Rows:
    """The days in their order: a hidden one follows from its neighbours."""
    dice = random.Random(seed)
    return [{"text": " ".join((DAYS * 3)[(at := dice.randrange(5)) : at + 8])} for _ in range(num_rows)]


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk) -> Learn:
    """``learn(rows, validation, start=model, task=..., epochs=3)``."""

    def dataset(name: str, rows: Rows) -> Dataset:
        form = "text-classification" if rows and "label" in rows[0] else "text-generation"
        table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)])
        return desk.dataset(name, table, facts={"task": form})

    def run(
        rows: Rows,
        validation: Rows | None = None,
        *,
        start: Model | None = None,
        context_changes: Any = None,
        **spec: Any,
    ) -> TrainOutputs:
        scratch = {} if "base" in spec or start else {"base": "none", **SMALL}
        wanted = {
            "task": "masked-language-model",
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "max_tokens": 16,
            "min_steps": 0,
            "precision": "fp32",
            "encoder_dropout": 0.0,
            **scratch,
            **spec,
        }
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        inputs = TrainInputs(
            train=dataset("train", rows),
            validation=dataset("validation", weeks(60, seed=9) if validation is None else validation),
            start=start,
        )
        given = dataclasses.replace(context, **{"num_threads": 1, **(context_changes or {})})
        return train(TrainSpec(**wanted), inputs, given)

    return run


@pytest.mark.parametrize(("packing", "epochs"), [("blocks", 50), ("rows", 20)])
def test_it_learns_words_from_their_neighbours(learn: Learn, packing: str, epochs: int) -> None:
    done = learn(
        weeks(200), epochs=epochs, patience=0, learning_rate=3e-3, head_learning_rate=3e-3, options={"packing": packing}
    )
    assert done.training.facts["history"][-1]["validation_accuracy"] > 0.6


def test_two_runs_give_equal_artifacts(learn: Learn) -> None:
    one, other = learn(weeks(20)), learn(weeks(20))
    assert (one.model.digest, one.training.digest) == (other.model.digest, other.training.digest)


def test_a_run_stopped_at_every_step_gives_equal_artifacts(learn: Learn, context: StageContext) -> None:
    whole = learn(weeks(20))
    shutil.rmtree(context.checkpoints)
    num_stops, pieces = 0, None
    while pieces is None:
        try:
            pieces = learn(weeks(20), context_changes={"deadline_s": 0.0} if num_stops < 4 else {})
        except StageError:
            num_stops += 1
    assert (num_stops, pieces.model.digest) == (4, whole.model.digest)


def test_the_folder_fills_in_a_word(learn: Learn) -> None:
    model = open_model(learn(weeks(200), epochs=20).model.files.folder())
    assert model.fill(["monday tuesday [MASK] thursday friday"])[0][0]["token"] == "wednesday"


def test_the_folder_answers_with_what_is_hidden(learn: Learn) -> None:
    model = open_model(learn(weeks(20)).model.files.folder())
    assert [one["tokens"] > 0 for one in model.predict({"text": [weeks(1)[0]["text"], ""]})] == [True, False]


def test_the_folder_is_a_base_of_a_classifier(learn: Learn) -> None:
    folder = learn(weeks(20) + [{"text": row["text"]} for row in questions(60)]).model.files.folder()
    (folder / "modelmint.json").unlink()
    done = learn(questions(200), questions(60, seed=9), base=str(folder), task="text-classification", epochs=5)
    assert done.training.facts["history"][-1]["validation_accuracy"] > 0.8


def test_a_classifier_starts_from_the_model(learn: Learn) -> None:
    first = learn(weeks(20) + [{"text": row["text"]} for row in questions(60)])
    done = learn(questions(200), questions(60, seed=9), start=first.model, task="text-classification", epochs=5)
    assert done.training.facts["history"][-1]["validation_accuracy"] > 0.8


def test_labelled_texts_serve_as_well(learn: Learn) -> None:
    assert learn(questions(20), questions(60, seed=9)).model.facts["task"] == "masked-language-model"


def batch(epoch: int, num: int = 400) -> tuple[dict[str, Any], Any]:
    ids = np.arange(10, 10 + num * 8, dtype=np.int32)
    corpus = Corpus(ids_n=ids, starts=np.arange(num + 1) * 8, num_characters=0, num_bytes=0)
    hidden = Hidden(mask_id=4, pad_id=0, before=[2], after=[3], num_tokens=5000)
    pieces = pieces_of(corpus, hidden, 10, joined=False)
    rows = [epoch * num + at for at in range(num)]
    return masked_batch(pieces, rows, hidden, 0.4, 7, torch.device("cpu")), ids.reshape(num, 8)


def test_of_the_hidden_words_8_in_10_become_the_mask_and_1_in_10_stays() -> None:
    found, whole = batch(0)
    inside, places = found["input_ids"][:, 1:-1], found["places"][:, 1:-1]
    masked = (inside[places] == 4).float().mean().item()
    kept = (inside == torch.from_numpy(whole))[places].float().mean().item()
    assert (masked, kept) == (pytest.approx(0.8, abs=0.04), pytest.approx(0.1, abs=0.03))


def test_words_that_are_not_chosen_stay() -> None:
    found, whole = batch(0)
    assert bool((found["input_ids"][:, 1:-1] == torch.from_numpy(whole))[~found["places"][:, 1:-1]].all())


def test_other_words_are_hidden_in_every_epoch() -> None:
    assert not torch.equal(batch(0)[0]["places"], batch(1)[0]["places"])


def test_the_same_words_are_hidden_in_the_same_epoch() -> None:
    assert torch.equal(batch(1)[0]["input_ids"], batch(1)[0]["input_ids"])


def test_texts_of_nothing_are_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="empty"):
        learn([{"text": ""}] * 3)


def test_a_tokenizer_without_a_mask_is_refused(learn: Learn, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mask token"):
        learn(weeks(3), base=str(write_base(tmp_path / "base")))
