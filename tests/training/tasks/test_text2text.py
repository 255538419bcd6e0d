"""Texts written from texts: from nothing, from a base, and again from what was trained."""

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train

WORDS = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four", "rot": "red", "blau": "blue", "und": "and"}
SMALL = {
    "architecture": {"name": "transformer", "num_layers": 1, "width": 64, "num_heads": 2},
    "tokenizer": {"name": "words", "vocabulary_size": 100},
}
Rows = list[dict[str, Any]]
Learn = Callable[..., TrainOutputs]


def pairs(num_rows: int, *, seed: int = 0) -> Rows:
    """German words and their English ones, in the same order."""
    dice = random.Random(seed)
    drawn = [dice.choices(sorted(WORDS), k=dice.randint(1, 2)) for _ in range(num_rows)]
    return [{"text": " ".join(words), "target": " ".join(WORDS[word] for word in words)} for words in drawn]


def chinese(words: str, signs: str = "一二三四红蓝和") -> str:
    """A character for each English word."""
    return "".join(signs[list(WORDS.values()).index(word)] for word in words.split())


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk) -> Learn:
    """``learn(rows, validation, start=model, context_changes={...}, epochs=3)``."""

    def dataset(name: str, rows: Rows) -> Dataset:
        table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)])
        return desk.dataset(name, table, facts={"task": "text2text-generation"})

    def run(
        rows: Rows,
        validation: Rows | None = None,
        *,
        start: Model | None = None,
        context_changes: Any = None,
        **spec: Any,
    ) -> TrainOutputs:
        scratch = {} if "base" in spec or start else SMALL
        wanted = {
            "epochs": 2,
            "min_steps": 0,
            "batch_size": 8,
            "learning_rate": 6e-3,
            "max_tokens": 16,
            "precision": "fp32",
            "options": {"num_beams": 2},
            "base": "none",
            **scratch,
            **spec,
        }
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        inputs = TrainInputs(
            train=dataset("train", rows),
            validation=dataset("validation", pairs(60, seed=99) if validation is None else validation),
            start=start,
        )
        given = dataclasses.replace(context, **{"num_threads": 1, **(context_changes or {})})
        return train(TrainSpec(**wanted), inputs, given)

    return run


def files(model: Model) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(model.files.folder().iterdir())}


def written(model: Model, *texts: str) -> list[str]:
    return [answer["text"] for answer in open_model(model.files.folder()).predict({"text": texts})]


def write_base(folder: Path, family: str, **config: Any) -> Path:
    """A Hugging Face folder of an encoder-decoder that has learnt nothing."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

    folder.mkdir(parents=True)
    names = ["<pad>", "</s>", "<unk>", "<s>", *sorted(WORDS), *sorted(WORDS.values()), "say", ":"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>", "<s>"])
    single = "$A </s>" if family == "t5" else "<s> $A </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("</s>", 1), ("<s>", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": len(names), "d_model": 32, "eos_token_id": 1, "pad_token_id": 0, **config}
    if family == "t5":
        model: Any = T5ForConditionalGeneration(T5Config(num_layers=1, num_heads=2, d_ff=64, d_kv=16, **sizes))
    else:
        heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
        ids = {"bos_token_id": 3, "decoder_start_token_id": 1, "forced_bos_token_id": 3, "forced_eos_token_id": 1}
        lengths = {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 24, "init_std": 0.1}
        model = BartForConditionalGeneration(BartConfig(**heads, **lengths, **ids, **sizes))
    model.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# tiny\n")
    return folder


def test_it_learns_to_write_from_nothing(learn: Learn) -> None:
    made = learn(pairs(240), epochs=6)
    assert written(made.model, "rot", "vier") == ["red", "four"]
    assert made.training.facts["validation_written"]["exact_match"]["low"] > 0.4


def test_chinese_is_written_and_read_by_its_characters(learn: Learn) -> None:
    rows = [{"text": chinese(row["target"]), "target": chinese(row["target"], "甲乙丙丁戊己庚")} for row in pairs(240)]
    made = learn(rows, rows[:60], epochs=6, tokenizer={"name": "characters", "vocabulary_size": 60})
    assert written(made.model, "红", "四") == ["戊", "丁"]


def test_transformers_opens_the_folder_and_writes_the_same(learn: Learn) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    made = learn(pairs(200), epochs=3)
    folder = made.model.files.folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = AutoModelForSeq2SeqLM.from_pretrained(folder).generate(
        tokenizer("drei und eins", return_tensors="pt").input_ids
    )
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == written(made.model, "drei und eins")


def test_two_trainings_give_equal_files(learn: Learn, context: StageContext) -> None:
    first = learn(pairs(60))
    shutil.rmtree(context.checkpoints)
    assert files(learn(pairs(60)).model) == files(first.model)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_stopped_training_goes_on_to_equal_artifacts(learn: Learn, context: StageContext, ema: float) -> None:
    whole = learn(pairs(60), ema=ema)
    shutil.rmtree(context.checkpoints)
    for _ in range(3):
        with pytest.raises(StageError):
            learn(pairs(60), ema=ema, context_changes={"deadline_s": 0.0})
    gone_on = learn(pairs(60), ema=ema)
    assert (gone_on.model.digest, gone_on.training.digest) == (whole.model.digest, whole.training.digest)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_it_learns_from_a_base(learn: Learn, tmp_path: Path, family: str) -> None:
    made = learn(pairs(240), base=str(write_base(tmp_path / "base", family)), epochs=6)
    assert written(made.model, "rot") == ["red"]
    assert made.model.facts["base"] == "base"


def test_a_base_without_padding_token_works(learn: Learn, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", "t5", pad_token_id=None, decoder_start_token_id=3)
    made = learn(pairs(240), base=str(base), epochs=6)
    assert written(made.model, "rot", "eins") == ["red", "one"]


def test_lora_leaves_a_plain_folder(learn: Learn, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", "bart")
    made = learn(pairs(100), base=str(base), method={"name": "lora", "rank": 4})
    facts = made.training.facts
    assert 0 < facts["trained_parameters"] < facts["parameters"] / 2
    assert not (made.model.files.folder() / "tuning").exists()


def test_a_trained_model_is_gone_on_with(learn: Learn) -> None:
    first = learn(pairs(240), epochs=4)
    again = learn(pairs(240), start=first.model, epochs=1, learning_rate=1e-5)
    assert again.training.facts["warm"]
    reached = first.training.facts["history"][first.training.facts["best_epoch"] - 1]["validation_loss"]
    assert again.training.facts["history"][0]["validation_loss"] == pytest.approx(reached, abs=0.05)


def test_the_prefix_is_part_of_what_is_served(learn: Learn, tmp_path: Path) -> None:
    base = str(write_base(tmp_path / "base", "t5"))
    with_prefix = learn(pairs(50), base=base, options={"prefix": "say: "}).model
    assert with_prefix.facts["prefix"] == "say: "
    assert files(with_prefix) != files(learn(pairs(50), base=base).model)


def test_what_is_cut_is_told(learn: Learn) -> None:
    long = {"text": "eins " * 20, "target": "one " * 20}
    facts = learn([*pairs(50), long, {**long, "target": "one"}], epochs=1).training.facts
    assert facts["num_cut"] == {"sources": 2, "targets": 1}


def test_no_text_is_longer_than_is_allowed(learn: Learn) -> None:
    model = learn(pairs(50), epochs=1, options={"max_target_tokens": 4, "num_beams": 1}).model
    assert max(len(text.split()) for text in written(model, "eins zwei drei vier eins zwei drei vier")) <= 4


def test_rows_count_by_their_weight(learn: Learn) -> None:
    rows = [{**row, "_weight": 1.0 if at % 2 else 3.0} for at, row in enumerate(pairs(50))]
    assert learn(rows).training.facts["row_weights"] == {"min": 1.0, "max": 3.0}


@pytest.mark.parametrize(("column", "value"), [("target", " "), ("target", None), ("text", "")])
def test_an_empty_side_is_refused(learn: Learn, column: str, value: str | None) -> None:
    rows = pairs(20)
    rows[7][column] = value
    with pytest.raises(DataError, match=f"{column} is empty in row train7"):
        learn(rows)


def test_an_encoder_is_refused_as_a_base(learn: Learn, base: Path) -> None:
    with pytest.raises(InputError, match="must be an encoder-decoder"):
        learn(pairs(20), base=str(base))


def test_more_tokens_than_a_base_reads_are_refused(learn: Learn, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="max_target_tokens: must be at most 24"):
        learn(pairs(20), base=str(write_base(tmp_path / "base", "bart")), options={"max_target_tokens": 30})


def test_an_architecture_that_does_not_write_is_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="architecture: must be transformer"):
        learn(pairs(20), architecture="text-cnn")


def test_no_file_is_pickled(learn: Learn) -> None:
    folder = learn(pairs(20), epochs=1).model.files.folder()
    assert sorted(path.suffix for path in folder.iterdir()) == [".json"] * 5 + [".safetensors"]
    assert json.loads((folder / "generation_config.json").read_text())["num_beams"] == 2
