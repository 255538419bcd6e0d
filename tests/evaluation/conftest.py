"""A tiny real classifier: a BERT of 2 layers and 32 numbers, trained in seconds to tell 4 topics by their words."""

import itertools
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.types import Model

TOPICS = {
    "card": ["card", "plastic", "chip"],
    "cash": ["cash", "notes", "coins"],
    "loan": ["loan", "credit", "interest"],
    "rate": ["rate", "exchange", "currency"],
}
FILLERS = ["the", "my", "is", "when", "will", "please", "bank", "help", "today", "where"]


def questions(num_rows: int, seed: int, wrong: float = 0.0) -> list[dict[str, Any]]:
    """Rows of a topic word among fillers; a share of `wrong` has another topic's label."""
    dice, slips = random.Random(seed), random.Random(seed)  # apart: the texts are the same whatever is wrong
    rows = []
    for _ in range(num_rows):
        topic = dice.choice(sorted(TOPICS))
        words = [dice.choice(TOPICS[topic]), *dice.choices(FILLERS, k=dice.randint(2, 8))]
        dice.shuffle(words)
        label = slips.choice(sorted(set(TOPICS) - {topic})) if slips.random() < wrong else topic
        rows.append({"text": " ".join(words), "label": label})
    return rows


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of a classifier that knows the four topics."""
    return write_classifier(tmp_path_factory.mktemp("trained"), num_steps=60)


@pytest.fixture(scope="session")
def untrained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same classifier before training."""
    return write_classifier(tmp_path_factory.mktemp("untrained"), num_steps=0)


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variant's folder that tells the same topics apart, by counting their words."""
    return _word_votes(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def exported_folder(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained classifier as the variant `onnx-fp32`."""
    from modelmint.compression.export import export_onnx

    folder = tmp_path_factory.mktemp("exported")
    export_onnx(trained_folder, folder / "model.onnx")
    for name in ("tokenizer.json", "config.json"):
        shutil.copyfile(trained_folder / name, folder / name)
    about = {"task": "text-classification", "labels": sorted(TOPICS), "max_tokens": 32, "variant": "onnx-fp32"}
    (folder / "modelmint.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def context(context: StageContext) -> StageContext:
    """With one thread: for so small a model more threads only wait for one another."""
    return replace(context, num_threads=1)


@pytest.fixture
def model(desk: StagingDesk, tmp_path: Path) -> Callable[..., Model]:
    """Lay a folder down as a model: ``model(folder, labels=[...])``; other labels are written into a copy of it."""

    def make(folder: Path, labels: list[str] | None = None, **facts: Any) -> Model:
        names = labels or sorted(TOPICS)
        if labels:
            folder = shutil.copytree(folder, tmp_path / "relabelled")
            config = json.loads((folder / "config.json").read_text())
            config |= {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}
            (folder / "config.json").write_text(json.dumps(config))
        return desk.model(
            "tiny",
            folder,
            facts={
                "task": "text-classification",
                "labels": names,
                "max_tokens": 32,
                "base": "tiny",
                "languages": ["en"],
                "engine": "torch",
                **facts,
            },
        )

    return make


def write_classifier(folder: Path, *, num_steps: int) -> Path:
    """A classifier of the four topics after so many steps."""
    import torch
    from transformers import BertConfig, BertModel

    from modelmint.training.tasks.pooled_model import MeanPoolClassifier, save_classifier

    base = folder.with_name(f"{folder.name}-base")
    base.mkdir()
    tokenizer = _tokenizer(base)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = sorted(TOPICS)
    classifier = MeanPoolClassifier(
        BertModel(
            BertConfig(
                vocab_size=tokenizer.get_vocab_size(),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                initializer_range=0.1,
                max_position_embeddings=40,
                pad_token_id=0,
                id2label=dict(enumerate(names)),
                label2id={name: at for at, name in enumerate(names)},
            ),
            add_pooling_layer=False,
        ),
        num_labels=len(names),
    )
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=3e-3)
    for step in range(num_steps):
        rows = questions(32, seed=1000 + step)
        batch = tokenizer.encode_batch([row["text"] for row in rows])
        ids, mask = (torch.tensor([getattr(one, name) for one in batch]) for name in ("ids", "attention_mask"))
        truth, logits = torch.tensor([names.index(row["label"]) for row in rows]), classifier(ids, mask)
        torch.nn.functional.cross_entropy(logits, truth).backward()
        optimizer.step()
        optimizer.zero_grad()
    save_classifier(classifier, base, folder)
    (folder / "modelmint.json").write_text(
        json.dumps({"task": "text-classification", "labels": names, "max_tokens": 32, "base": "tiny"})
    )
    return folder


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FILLERS, *itertools.chain(*TOPICS.values())]
    vocabulary = {word: at for at, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    tokenizer.enable_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def _word_votes(folder: Path) -> Path:
    """An ONNX classifier in which each topic word votes for its topic: embeddings, summed over the text."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer, models, pre_tokenizers

    topics = sorted(TOPICS)
    words = ["[PAD]", "[UNK]", *(word for topic in topics for word in TOPICS[topic])]
    vocabulary = {word: at for at, word in enumerate(words)}
    votes = np.zeros((len(vocabulary), len(topics)), np.float32)
    for at, topic in enumerate(topics):
        votes[[vocabulary[word] for word in TOPICS[topic]], at] = 5
    node, value = helper.make_node, helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            node("Gather", ["votes", "input_ids"], ["each"]),
            node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["mask", "last"], ["wide"]),
            node("Mul", ["each", "wide"], ["kept"]),
            node("ReduceSum", ["kept", "tokens"], ["logits"], keepdims=0),
        ],
        "votes",
        [value(name, TensorProto.INT64, ["B", "T"]) for name in ("input_ids", "attention_mask")],
        [value("logits", TensorProto.FLOAT, ["B", len(topics)])],
        [
            numpy_helper.from_array(votes, "votes"),
            numpy_helper.from_array(np.asarray([2], np.int64), "last"),
            numpy_helper.from_array(np.asarray([1], np.int64), "tokens"),
        ],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(whole, folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 0}))
    (folder / "modelmint.json").write_text(json.dumps({"labels": topics, "max_tokens": 32, "variant": "onnx-fp32"}))
    return folder
