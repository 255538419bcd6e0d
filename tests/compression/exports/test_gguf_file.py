"""GGUF: another reader, that of transformers, opens the file and gives the model's logits and tokens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.exports.gguf_tokenizer import CUTS
from modelmint.core.errors import InputError
from modelmint.core.types import Model
from tests.compression.exports.conftest import Publish, Walk

gguf = pytest.importorskip("gguf")

TEXT = "where is my card, and the plastic money of 1234 people?"
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48, "max_position_embeddings": 64}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}


def written_tokenizer(path: Path, cut: str) -> int:
    """A byte-level BPE with merges, that cuts words in that way; how many tokens it has."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    whole = cut == "gpt-2"
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=whole)
    split = [] if whole else [pre_tokenizers.Split(Regex(next(k for k, v in CUTS.items() if v == cut)), "isolated")]
    tokenizer.pre_tokenizer = level if whole else pre_tokenizers.Sequence([*split, level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 4, trainer)
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    tokenizer.save(str(path))
    return int(tokenizer.get_vocab_size())


@pytest.fixture
def writer(desk: StagingDesk, publish: Publish, tmp_path: Path) -> Callable[..., Model]:
    """``writer("llama", cut="gpt-2", rope_theta=...)``: a random model of that family in the catalog."""

    def make(family: str, *, cut: str = "gpt-2", task: str = "text-generation", **config: Any) -> Model:
        from transformers import AutoConfig, AutoModelForCausalLM

        folder = tmp_path / "model"
        folder.mkdir()
        num_tokens = written_tokenizer(folder / "tokenizer.json", cut)
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64} if family == "gpt2" else {**SIZES, **HEADS}
        ends = {"bos_token_id": None, "eos_token_id": num_tokens - 1, "pad_token_id": None}
        torch.manual_seed(0)
        made = AutoConfig.for_model(
            family, vocab_size=num_tokens + 3, initializer_range=0.2, **{**sizes, **ends, **config}
        )
        AutoModelForCausalLM.from_config(made).save_pretrained(folder)
        about = {"task": task, "base": "tiny", "max_tokens": 64, "stop_ids": [num_tokens - 1]}
        (folder / "modelmint.json").write_text(json.dumps(about))
        model = desk.model("tiny", folder, facts=about, licences=["MIT"])
        publish()
        return model

    return make


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True, "attention_bias": True}),
        ("qwen2", {}),
        ("qwen3", {"head_dim": 16}),
        ("gpt2", {}),
    ],
    ids=["llama", "llama-tied", "qwen2", "qwen3", "gpt2"],
)
def test_transformers_reads_the_file_and_gives_the_logits(
    family: str, config: dict[str, Any], writer: Callable[..., Model], walk: Walk, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    model = writer(family, **config)
    told = walk(model, tmp_path / "out", "gguf")
    ids = torch.tensor([[40, 41, 260, 290, 7]])
    ours = AutoModelForCausalLM.from_pretrained(model.files.folder(), dtype=torch.float32)
    unread = {"config": ours.config} if family in ("qwen3", "gpt2") else {}  # sizes that its reader does not look for
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", gguf_file="model.gguf", dtype=torch.float32, **unread
    )
    with torch.no_grad():
        gap = (theirs(ids).logits - ours(ids).logits).abs().max().item()
    assert gap < 0.02
    assert told["checks"]["tensors_equal"]


@pytest.mark.parametrize("cut", ["gpt-2", "qwen2", "llama-bpe"])
def test_the_tokenizer_is_named_and_whole(cut: str, writer: Callable[..., Model], walk: Walk, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    model = writer("llama", cut=cut)
    told = walk(model, tmp_path / "out", "gguf")
    fields = gguf.GGUFReader(tmp_path / "out" / "model.gguf").fields
    ours = Tokenizer.from_file(str(model.files.folder() / "tokenizer.json"))
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens[: ours.get_vocab_size()] == [ours.id_to_token(at) for at in range(ours.get_vocab_size())]
    assert fields["tokenizer.ggml.eos_token_id"].contents() == ours.token_to_id("<|endoftext|>")
    assert (told["checks"]["cuts_words_as"], fields["tokenizer.ggml.pre"].contents()) == (cut, cut)


def test_a_planted_fault_in_the_order_of_the_queries_is_seen(
    writer: Callable[..., Model], walk: Walk, tmp_path: Path
) -> None:
    """The proof that the logits above would differ: llama.cpp's order of queries is not that of transformers."""
    from safetensors.torch import load_file

    model = writer("llama")
    walk(model, tmp_path / "out", "gguf")
    tensors = {one.name: one.data for one in gguf.GGUFReader(tmp_path / "out" / "model.gguf").tensors}
    weights = load_file(model.files.folder() / "model.safetensors")
    plain = weights["model.layers.0.self_attn.q_proj.weight"].numpy().astype(np.float16)
    assert not np.array_equal(tensors["blk.0.attn_q.weight"], plain)
    assert np.array_equal(np.sort(tensors["blk.0.attn_q.weight"], axis=0), np.sort(plain, axis=0))


def test_another_family_is_refused_by_name(writer: Callable[..., Model], walk: Walk, tmp_path: Path) -> None:
    model = writer("gpt_neox")
    with pytest.raises(InputError, match=r"gguf is written here for llama.*family gpt_neox"):
        walk(model, tmp_path / "out", "gguf")


def test_a_classifier_is_refused(classifier: Model, walk: Walk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a model for text-classification"):
        walk(classifier, tmp_path / "out", "gguf")


def test_positions_that_are_scaled_are_refused(writer: Callable[..., Model], walk: Walk, tmp_path: Path) -> None:
    model = writer("llama", rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0})
    with pytest.raises(InputError, match="positions are of the type linear"):
        walk(model, tmp_path / "out", "gguf")
