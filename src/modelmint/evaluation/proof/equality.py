"""What a candidate's folder must say exactly as the trained model's does: labels, lengths, answers, templates."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelmint.core.inputs import SERVED, how_of, labels_of, reads
from modelmint.core.items import CONFIG as RECOMMENDER
from modelmint.core.items import ITEMS
from modelmint.core.types import JSON, Model

ABOUT = "modelmint.json"
CONFIG = "config.json"
CONFIG_KEYS = (
    "model_type", "pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "unk_token_id",
    "mask_token_id", "decoder_start_token_id", "vocab_size", "type_vocab_size", "max_position_embeddings",
    "position_offset", "id2label",
)  # fmt: skip
TEMPLATES = ("chat_template.jinja", "chat_template.json", "special_tokens_map.json", "tokenizer_config.json")
"""Compared where both folders have them; a candidate that only reads texts need not carry them."""
SHOWN_CHARS = 120


def compare_folders(trained: Path, candidate: Path, model: Model) -> list[str]:
    """A sentence for each difference.

    Args:
        model: what the trained folder's manifest says of labels, lengths and answers.
    """
    about = read_json(candidate / ABOUT)
    return [
        *_labels(labels_of(model.facts), labels_of(about), f"labels of {ABOUT}"),
        *_settings(model.facts, about),
        *_config(read_json(trained / CONFIG), read_json(candidate / CONFIG)),
        *_templates(trained, candidate),
    ]


def compare_answers(candidate: Path, model: Model) -> list[str]:
    """A sentence for each difference of what a candidate answers with, whatever it computes."""
    about = read_json(candidate / ABOUT)
    mine, theirs = (how_of(said).get("by") for said in (model.facts, about))
    found = _labels(labels_of(model.facts), labels_of(about), f"labels of {ABOUT}")
    return [*found, *([f"it answers by {theirs}, the trained model by {mine}"] if mine != theirs else [])]


def compare_items(trained: Path, candidate: Path) -> list[str]:
    """A sentence for each difference of what can be recommended, of how often each was taken, and of what is read."""
    mine, theirs = read_json(trained / ITEMS), read_json(candidate / ITEMS)
    found = _labels(mine["items"], theirs.get("items", []), f"items of {ITEMS}")
    if not found and mine["counts"] != theirs.get("counts"):
        found.append(f"the counts of {ITEMS} differ: who took nothing is given other items")
    mine, theirs = read_json(trained / RECOMMENDER), read_json(candidate / RECOMMENDER)
    names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    cut = {"max_history": ": long histories are cut elsewhere"}
    return found + [
        f"{name} of {RECOMMENDER} is {_short(theirs.get(name))}, of the trained model {_short(mine.get(name))}"
        f"{cut.get(name, '')}"
        for name in names
    ]


def read_json(path: Path) -> JSON:
    """A JSON object; empty where there is no such file."""
    value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return value if isinstance(value, dict) else {}


def _labels(mine: Sequence[str], theirs: Sequence[str], what: str) -> list[str]:
    if list(mine) == list(theirs):
        return []
    if sorted(mine) == sorted(theirs):
        moved = [
            (place, one, other) for place, (one, other) in enumerate(zip(mine, theirs, strict=True)) if one != other
        ]
        place, one, other = moved[0]
        return [
            (
                f"the order of the {what} differs: {len(moved)} of {len(mine)} stand in another place; place {place} is "
                f"{other!r}, of the trained model {one!r}"
            )
        ]
    missing, new = sorted(set(mine) - set(theirs)), sorted(set(theirs) - set(mine))
    said = [f"{_listed(found)} {word}" for found, word in ((missing, "missing"), (new, "new")) if found]
    return [f"the {what} differ: {'; '.join(said) or f'{len(theirs)} where the trained model has {len(mine)}'}"]


def _settings(facts: JSON, about: JSON) -> list[str]:
    """What says how logits become answers, and how a row is read: thresholds, mean and scale, temperature, texts a row."""
    says = SERVED[facts["task"]].says if facts.get("task") in SERVED else ()
    pairs = [(key, facts.get(key), about.get(key)) for key in ("max_tokens", "task", "stop_ids", *says)]
    pairs += [("answers", how_of(facts), how_of(about)), ("inputs", list(reads(facts)), list(reads(about)))]
    found = []
    for key, mine, theirs in pairs:
        if key == "columns" and isinstance(mine, list) and isinstance(theirs, list):
            found += _columns(mine, theirs)
        elif mine != theirs and not (key == "task" and theirs is None):
            found.append(f"{key} of {ABOUT} is {_short(theirs)}, of the trained model {_short(mine)}{_cut(key)}")
    return found


def _columns(mine: Sequence[JSON], theirs: Sequence[JSON]) -> list[str]:
    """Of a table: the first column that differs, and in what."""
    names, others = ([str(one.get("name")) for one in side] for side in (mine, theirs))
    if names != others:
        return _labels(names, others, f"columns of {ABOUT}")
    for one, other in zip(mine, theirs, strict=True):
        if one.get("categories") != other.get("categories"):
            return _labels(one["categories"], other.get("categories", []), f"categories of {one['name']} in {ABOUT}")
        if one != other:
            return [f"the column {one['name']} of {ABOUT} is {_short(other)}, of the trained model {_short(one)}"]
    return []


def _cut(key: str) -> str:
    return ": long texts are cut elsewhere" if key == "max_tokens" else ""


def _config(trained: JSON, candidate: JSON) -> list[str]:
    found = []
    for key in CONFIG_KEYS:
        mine, theirs = trained.get(key), candidate.get(key)
        if mine == theirs:
            continue
        if key == "id2label" and isinstance(mine, dict) and isinstance(theirs, dict):
            found += _labels(list(mine.values()), list(theirs.values()), f"labels of {CONFIG}")
        elif key != "id2label" or theirs is not None:
            found.append(f"{key} of {CONFIG} is {_short(theirs)}, of the trained model {_short(mine)}")
    return found


def _templates(trained: Path, candidate: Path) -> list[str]:
    found = []
    for name in TEMPLATES:
        if not (trained / name).is_file() or not (candidate / name).is_file():
            continue
        if name.endswith(".json"):
            mine, theirs = read_json(trained / name), read_json(candidate / name)
            keys = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
            found += [
                f"{key} of {name} is {_short(theirs.get(key))}, of the trained model {_short(mine.get(key))}"
                for key in keys
            ]
        elif (trained / name).read_bytes() != (candidate / name).read_bytes():
            found.append(f"{name}: the chat template is not that of the trained model")
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _short(value: Any) -> str:
    if value is None:
        return "not there"
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}…"
