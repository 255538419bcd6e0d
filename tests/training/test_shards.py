"""Weights in several shards: every kind of base loads as from one file, and an index is not believed blindly."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from modelmint.core.errors import InputError
from modelmint.training.bases import resolve
from modelmint.training.causal import load_causal
from modelmint.training.cross_encoder import load_cross_encoder
from modelmint.training.encoders import load_encoder
from modelmint.training.headed import read_headed
from modelmint.training.masked import load_masked_base
from modelmint.training.seq2seq import load_seq2seq
from modelmint.training.shards import INDEX, WHOLE, read_tensors, weight_files
from modelmint.training.train import TrainOutputs
from modelmint.training.vision import load_vision
from tests.tiny_base import questions, write_base

BERT = {
    "vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 40,
}  # fmt: skip
LLAMA = {**BERT, "num_key_value_heads": 2}
T5 = {"vocab_size": 40, "d_model": 32, "num_layers": 1, "num_heads": 2, "d_ff": 64, "d_kv": 16, "eos_token_id": 1}
VIT = {**BERT, "image_size": 8, "patch_size": 4, "num_channels": 1}
KINDS: dict[str, tuple[str, dict[str, Any], Callable[[Path], Any]]] = {
    "encoder": ("BertModel", BERT, load_encoder),
    "tagger": (
        "BertForTokenClassification", BERT, lambda folder: read_headed(folder, "AutoModelForTokenClassification")
    ),
    "masked": ("BertForMaskedLM", BERT, load_masked_base),
    "reranker": ("BertForSequenceClassification", {**BERT, "num_labels": 1}, load_cross_encoder),
    "causal": ("LlamaForCausalLM", LLAMA, load_causal),
    "seq2seq": ("T5ForConditionalGeneration", T5, load_seq2seq),
    "vision": ("ViTForImageClassification", VIT, load_vision),
}  # fmt: skip


def write(folder: Path, name: str, config: dict[str, Any], **how: Any) -> Path:
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    kind(kind.config_class(**config)).save_pretrained(folder, **how)
    return folder


def in_shards(base: Path, folder: Path) -> Path:
    """The tiny base, its weights in several files."""
    write_base(folder)
    (folder / WHOLE).unlink()
    transformers.AutoModel.from_pretrained(base).save_pretrained(folder, max_shard_size="20KB")
    return folder


def index_of(folder: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((folder / INDEX).read_text())
    return index


@pytest.mark.parametrize("kind", KINDS)
def test_shards_give_the_same_weights_as_one_file(kind: str, tmp_path: Path) -> None:
    name, config, load = KINDS[kind]
    one = load(write(tmp_path / "one", name, config)).state_dict()
    several = load(write(tmp_path / "several", name, config, max_shard_size="20KB")).state_dict()
    assert len(weight_files(tmp_path / "several")) > 2
    assert one.keys() == several.keys()
    assert all(torch.equal(tensor, several[key]) for key, tensor in one.items())


def test_training_from_shards_gives_the_model_of_one_file(
    learn: Callable[..., TrainOutputs], base: Path, tmp_path: Path
) -> None:
    folder = in_shards(base, tmp_path / base.name)
    from_shards = learn(questions(24), base=str(folder))
    weights = [load_file(made.model.files.folder() / WHOLE) for made in (from_shards, learn(questions(24)))]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_the_digest_and_the_size_cover_every_shard(base: Path, tmp_path: Path) -> None:
    folder = in_shards(base, tmp_path / "several")
    before = resolve(str(folder))
    shard = folder / weight_files(folder)[-1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert resolve(str(folder)).digest != before.digest
    assert before.size_bytes > (base / WHOLE).stat().st_size


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "x.bin", "", 7])
def test_an_index_that_names_another_place_is_refused(base: Path, tmp_path: Path, name: Any) -> None:
    folder = in_shards(base, tmp_path / "several")
    index = index_of(folder)
    index["weight_map"] |= {next(iter(index["weight_map"])): name}
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(InputError, match="must name plain files that end in"):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "is no JSON"), ("[1]", "has no weight_map"), ("[" * 100_000, "is no JSON"), ('{"weight_map": {}}', "has no")],
)
def test_an_index_that_is_none_is_refused(base: Path, tmp_path: Path, content: str, said: str) -> None:
    folder = in_shards(base, tmp_path / "several")
    (folder / INDEX).write_text(content)
    with pytest.raises(InputError, match=said):
        resolve(str(folder))


def test_an_index_of_a_thousand_shards_and_one_is_refused(base: Path, tmp_path: Path) -> None:
    folder = in_shards(base, tmp_path / "several")
    (folder / INDEX).write_text(json.dumps({"weight_map": {f"w{n}": f"{n}.safetensors" for n in range(1_001)}}))
    with pytest.raises(InputError, match="names 1,001 shards"):
        resolve(str(folder))


def test_an_endless_index_is_refused_unread(base: Path, tmp_path: Path) -> None:
    folder = in_shards(base, tmp_path / "several")
    os.truncate(folder / INDEX, 1 << 40)
    with pytest.raises(InputError, match=r"has 1,099,511,627,776 bytes; at most"):
        resolve(str(folder))


def test_a_shard_that_is_missing_is_named(base: Path, tmp_path: Path) -> None:
    folder = in_shards(base, tmp_path / "several")
    lost = weight_files(folder)[-1]
    (folder / lost).unlink()
    with pytest.raises(InputError, match=f"lacks {lost}"):
        resolve(str(folder))


def test_a_tensor_that_is_not_in_its_shard_is_named(base: Path, tmp_path: Path) -> None:
    folder = in_shards(base, tmp_path / "several")
    index = index_of(folder)
    index["weight_map"] |= {"encoder.more": weight_files(folder)[-1]}
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"'encoder\.more' is in .*, and it is not"):
        resolve(str(folder))


@pytest.mark.parametrize("size", [0, 5, 60_000])
def test_weights_that_were_cut_short_are_refused(base: Path, tmp_path: Path, size: int) -> None:
    folder = write_base(tmp_path / "short")
    os.truncate(folder / WHOLE, size)
    with pytest.raises(InputError, match=r"model\.safetensors must be a whole safetensors file"):
        resolve(str(folder))


def test_tensors_are_read_by_name_from_any_shard(base: Path, tmp_path: Path) -> None:
    wanted = {"embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.bias", "nowhere"}
    found = read_tensors(in_shards(base, tmp_path / "several"), wanted)
    assert found.keys() == wanted - {"nowhere"}
    assert all(torch.equal(tensor, load_file(base / WHOLE)[name]) for name, tensor in found.items())
