"""Causal language models: from nothing, on from a base, and again from what was trained."""

import dataclasses
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.sampling import Sampling
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics.language import measure
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.tiny_base import write_base

KINDS: dict[str, dict[str, Any]] = {
    "transformer": {"name": "transformer", "num_layers": 1, "width": 32, "num_heads": 2},
    "lstm": {"name": "lstm", "width": 32},
}
each = pytest.mark.parametrize("kind", sorted(KINDS))
Rows = list[dict[str, Any]]
Learn = Callable[..., TrainOutputs]
CHORUS = ["row row row your boat", "gently down the stream", "merrily merrily merrily", "life is but a dream"]


def songs(num_rows: int, *, seed: int = 0) -> Rows:
    dice = random.Random(seed)
    return [{"text": "\n".join(dice.sample(CHORUS, 2))} for _ in range(num_rows)]


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk) -> Learn:
    """``learn(rows, validation, start=model, context_changes={...}, epochs=3)``: characters, from nothing."""

    def dataset(name: str, rows: Rows) -> Dataset:
        table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)])
        return desk.dataset(name, table, facts={"task": "text-generation"})

    def run(
        rows: Rows,
        validation: Rows | None = None,
        *,
        start: Model | None = None,
        kind: str = "transformer",
        context_changes: Any = None,
        **spec: Any,
    ) -> TrainOutputs:
        scratch = {} if "base" in spec or start else {"architecture": KINDS[kind], "tokenizer": "characters"}
        wanted = {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "max_tokens": 16,
            "precision": "fp32",
            "encoder_dropout": 0.0,
            **scratch,
            **spec,
        }
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        inputs = TrainInputs(
            train=dataset("train", rows),
            validation=dataset("validation", songs(60, seed=9) if validation is None else validation),
            start=start,
        )
        given = dataclasses.replace(context, **{"num_threads": 1, **(context_changes or {})})
        return train(TrainSpec(**wanted), inputs, given)

    return run


def perplexity(done: TrainOutputs) -> float:
    return float(done.training.facts["history"][-1]["validation_perplexity"])


@each
@pytest.mark.parametrize("packing", ["blocks", "rows"])
def test_it_learns(learn: Learn, kind: str, packing: str) -> None:
    assert perplexity(learn(songs(150), kind=kind, epochs=6, options={"packing": packing})) < 2.5


def test_blocks_have_no_padding_and_rows_have_some(learn: Learn) -> None:
    blocks, rows = (learn(songs(30), options={"packing": packing}).training.measured for packing in ("blocks", "rows"))
    assert blocks["padding"] == 0
    assert 0 < rows["padding"] < 0.5


@each
def test_two_runs_give_equal_artifacts(learn: Learn, kind: str) -> None:
    one, other = learn(songs(20), kind=kind), learn(songs(20), kind=kind)
    assert (one.model.digest, one.training.digest) == (other.model.digest, other.training.digest)


@pytest.mark.parametrize("packing", ["blocks", "rows"])
def test_a_run_stopped_at_every_step_gives_equal_artifacts(learn: Learn, context: StageContext, packing: str) -> None:
    options = {"packing": packing}
    whole = learn(songs(20), options=options)
    shutil.rmtree(context.checkpoints)
    num_stops, pieces = 0, None
    while pieces is None:
        try:
            pieces = learn(songs(20), options=options, context_changes={"deadline_s": 0.0} if num_stops < 5 else {})
        except StageError:
            num_stops += 1
    assert (num_stops, pieces.model.digest) == (5, whole.model.digest)


@each
def test_the_folder_opens_and_is_as_surprised_as_the_model_was(learn: Learn, kind: str) -> None:
    held_out = songs(60, seed=9)
    done = learn(songs(40), held_out, kind=kind, options={"packing": "rows"})
    answers = open_model(done.model.files.folder()).predict({"text": [row["text"] for row in held_out]})
    figures = measure({"text": [row["text"] for row in held_out]}, answers, seed=0)
    assert figures["perplexity"]["value"] == pytest.approx(perplexity(done), rel=1e-4)


@each
def test_what_it_writes_is_what_it_learned(learn: Learn, kind: str) -> None:
    rows = [{"text": "row your boat"}] * 100
    done = learn(rows, rows, kind=kind, epochs=20, options={"packing": "rows"})
    written = open_model(done.model.files.folder()).write(["row", ""], Sampling(max_new_tokens=30))
    assert [one["text"] for one in written] == [" your boat", "row your boat"]


def test_a_draw_depends_on_its_seed_alone(learn: Learn) -> None:
    model = open_model(learn(songs(20)).model.files.folder())
    first, again, other = (
        model.write(["row"], Sampling(max_new_tokens=20, temperature=1.0, top_k=8, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_long_text_is_read_to_its_end(learn: Learn) -> None:
    model = open_model(learn(songs(20)).model.files.folder())
    text = "row row row your boat gently down the stream"
    assert model.predict({"text": [text, ""]})[0]["tokens"] == len(text) + 1


def test_every_token_is_learned_from_once_an_epoch(learn: Learn) -> None:
    facts = learn(songs(20), epochs=1, batch_size=1).training.facts
    assert facts["steps"] == math.ceil((facts["num_tokens"] - 1) / 16)


def test_training_goes_on_from_a_causal_base(learn: Learn) -> None:
    first = learn(songs(60), epochs=6)
    folder = first.model.files.folder()
    (folder / "modelmint.json").unlink()
    again = learn(songs(60, seed=3), base=str(folder), epochs=1, learning_rate=1e-4)
    assert perplexity(again) < perplexity(first) * 1.1


def test_training_goes_on_from_a_model(learn: Learn) -> None:
    first = learn(songs(60), epochs=6)
    assert perplexity(learn(songs(60), start=first.model, epochs=1, learning_rate=1e-4)) < perplexity(first) * 1.1


def test_transformers_reads_the_folder(learn: Learn) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = learn(songs(20)).model.files.folder()
    ids = AutoTokenizer.from_pretrained(folder)("row", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        assert AutoModelForCausalLM.from_pretrained(folder)(ids).logits.shape[:2] == (1, 3)


def test_texts_of_nothing_are_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="empty"):
        learn([{"text": ""}] * 3)


def test_a_row_without_a_text_is_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="1 rows without one"):
        learn([*songs(3), {"text": None}])


def test_an_encoder_is_refused(learn: Learn, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bert reads texts and does not write them"):
        learn(songs(3), base=str(write_base(tmp_path / "base")))


def test_more_tokens_than_the_base_reads_are_refused(learn: Learn) -> None:
    folder = learn(songs(10)).model.files.folder()
    (folder / "modelmint.json").unlink()
    with pytest.raises(InputError, match="at most 16"):
        learn(songs(10), base=str(folder), max_tokens=32)


def test_bits_per_byte_count_bytes_and_bits_per_character_characters() -> None:
    figures = measure({"text": ["酒店"]}, [{"loss": 6 * math.log(2), "tokens": 3}], seed=0)
    assert (figures["bits_per_byte"]["value"], figures["bits_per_character"]["value"]) == (1.0, 3.0)


def test_texts_without_tokens_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="something to predict"):
        measure({"text": [""]}, [{"loss": 0.0, "tokens": 0}], seed=0)
