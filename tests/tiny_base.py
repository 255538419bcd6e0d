"""A tiny real base: a random BERT of 2 layers and 32 numbers with a WordPiece tokenizer, and rows that it can learn."""

import itertools
import random
from pathlib import Path
from typing import Any

TOPICS = {
    "card": ["card", "plastic", "chip"],
    "cash": ["cash", "notes", "coins"],
    "loan": ["loan", "credit", "interest"],
    "rate": ["rate", "exchange", "currency"],
}
FILLERS = ["the", "my", "is", "when", "will", "please", "bank", "help", "today", "where"]


def questions(num_rows: int, *, seed: int = 0, topics: list[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a topic word among fillers, labelled with the topic."""
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        topic = dice.choice(topics or sorted(TOPICS))
        words = [dice.choice(TOPICS[topic]), *dice.choices(FILLERS, k=dice.randint(2, 8))]
        dice.shuffle(words)
        rows.append({"text": " ".join(words), "label": topic})
    return rows


def write_base(folder: Path, *, num_spare_tokens: int = 0) -> Path:
    """A Hugging Face folder of an encoder that has learnt nothing."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    num_tokens = _write_tokenizer(folder / "tokenizer.json") + num_spare_tokens
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=num_tokens,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            initializer_range=0.1,
            max_position_embeddings=40,
            pad_token_id=0,
        )
    ).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage:\n- en\n---\n# tiny\n")
    return folder


def _write_tokenizer(path: Path) -> int:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "##s", *FILLERS, *itertools.chain(*TOPICS.values())]
    vocabulary = {word: at for at, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))
    return len(words)
