"""A real variant in miniature: an ONNX classifier that counts words, its tokenizer and its files."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import Revision, deploy
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.types import Model

LABELS = ("refund", "delivery", "other")
_WORDS = ("[PAD]", "[UNK]", "money", "back", "refund", "parcel", "late", "where", "hello", "thanks", "bye")
_VOTES = {"money": 0, "back": 0, "refund": 0, "parcel": 1, "late": 1, "where": 1, "hello": 2, "thanks": 2, "bye": 2}


def write_variant(
    folder: Path, *, labels: Sequence[str] = LABELS, max_tokens: int = 64, token_types: bool = False
) -> Path:
    """A variant's folder: each known word votes for one label; an unknown word for none."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_onnx(folder / "model.onnx", token_types=token_types)
    _write_tokenizer(folder / "tokenizer.json")
    config = {"id2label": dict(enumerate(labels)), "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modelmint.json").write_text(
        json.dumps({"labels": list(labels), "max_tokens": max_tokens, "variant": "onnx-fp32"})
    )
    return folder


def publish_variant(catalog: Catalog, work: Path, *, labels: Sequence[str] = LABELS) -> Model:
    """A variant in the catalog."""
    desk = StagingDesk(
        folder=work / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=work / "desk"
    )
    facts = {"task": "text-classification", "labels": list(labels), "max_tokens": 64, "engine": "onnx"}
    model = desk.model("tiny", write_variant(work / "variant", labels=labels), facts={**facts, "variant": "onnx-fp32"})
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    return model


def deploy_variant(
    catalog: Catalog, work: Path, *, endpoint: str = "support", labels: Sequence[str] = LABELS, price: str = "0.50 USD"
) -> Revision:
    """An endpoint that serves a tiny variant."""
    variant = publish_variant(catalog, work, labels=labels).id
    return deploy(catalog, endpoint=endpoint, model=variant, variant=variant, price=price)


def _write_onnx(path: Path, *, token_types: bool) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    votes = np.zeros((len(_WORDS), len(LABELS)), np.float32)
    for word, label in _VOTES.items():
        votes[_WORDS.index(word), label] = 2.0
    nodes = [
        helper.make_node("Gather", ["votes", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask_column"]),
        helper.make_node("Mul", ["each", "mask_column"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "first"], ["logits"], keepdims=0),
    ]
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if token_types else [])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [
            numpy_helper.from_array(votes, "votes"),
            numpy_helper.from_array(np.array([2]), "last"),
            numpy_helper.from_array(np.array([1]), "first"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def _write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(_WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
