"""trim_vocabulary: fewer rows of the embedding, and the same bits on the texts that it was made for."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from modelmint.compression.bodies.vocabulary import trim_vocabulary
from modelmint.core.types import JSON
from modelmint.training.batches import open_tokenizer, pad_batch
from modelmint.training.encoders import load_encoder
from tests.tiny_base import questions, write_base

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXTS = [row["text"] for row in questions(40, topics=["card", "cash"])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base whose tokenizer knows letters too."""
    base = write_base(tmp_path / "base", num_spare_tokens=60)
    about: JSON = json.loads((base / "tokenizer.json").read_text())
    for piece in (*LETTERS, *(f"##{letter}" for letter in LETTERS)):
        about["model"]["vocab"].setdefault(piece, len(about["model"]["vocab"]))
    (base / "tokenizer.json").write_text(json.dumps(about))
    return base


def states(folder: Path, texts: list[str]) -> torch.Tensor:
    inputs = pad_batch(open_tokenizer(folder, 32)(texts), 0, torch.device("cpu"))
    with torch.no_grad():
        found: torch.Tensor = load_encoder(folder).eval()(**inputs).last_hidden_state
    return found


def test_the_texts_get_the_same_bits_from_fewer_rows(folder: Path, tmp_path: Path) -> None:
    told = trim_vocabulary(folder, TEXTS, tmp_path / "small")
    assert told["tokens"]["after"] < told["tokens"]["before"]
    assert torch.equal(states(tmp_path / "small", TEXTS), states(folder, TEXTS))


def test_a_word_that_is_gone_is_spelt(folder: Path, tmp_path: Path) -> None:
    trim_vocabulary(folder, TEXTS, tmp_path / "small")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "small", local_files_only=True)
    assert tokenizer.tokenize("loan") == ["l", "##o", "##a", "##n"]


def test_the_config_counts_the_tokens(folder: Path, tmp_path: Path) -> None:
    told = trim_vocabulary(folder, TEXTS, tmp_path / "small", at_least=70)
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["vocab_size"] == told["tokens"]["after"] >= 70
