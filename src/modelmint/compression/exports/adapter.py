"""What a tuning method trained, alone: to be put to its base again with PEFT.

Prefix, prompt, p-tuning and adapter lie apart in a trained folder, and are copied. LoRA, rsLoRA and AdaLoRA were added to
the weights when the model was saved; their product is of low rank, so it is found again as the difference from the base
(singular values of each layer), and what it gives is compared with the trained weights.

Shapes: o outputs and i inputs of a linear layer, r rank.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelmint.compression.exports.card import hub_base
from modelmint.compression.exports.hugging_face import add_tokenizer_settings
from modelmint.compression.exports.source import TUNING, Say, Source, Written, refuse_variant
from modelmint.core.errors import InputError, StageError
from modelmint.core.types import JSON

LOW_RANK = ("lora", "rslora", "adalora")
APART = ("prefix", "prompt", "p-tuning", "adapter")
BESIDE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "chat_template.jinja")
HEADS = ("1_Pooling", "2_Dense", "2_Normalize")
WRITERS = ("text-generation", "chat", "preference")
POOLED = (
    "text-classification",
    "text-pair-classification",
    "multi-label-classification",
    "text-regression",
    "text-embedding",
)
ROUNDING = 4e-7
"""How far a merged weight may be from base plus product, beside the layer's largest: both were rounded to fp32."""

_PEFT = """\
from peft import PeftModel
from transformers import {auto}

base = {auto}.from_pretrained("{base}")  # the base that it was trained from
model = PeftModel.from_pretrained(base, ".")
"""
_BOTTLENECK = (
    "`adapters.safetensors` holds a narrow layer behind each block of the base, which PEFT does not know: after block N\n"
    "`states + up(relu(down(states)))`, with the tensors `N.down.weight`, `N.down.bias`, `N.up.weight`, `N.up.bias`.\n"
)


def write_adapter(source: Source, folder: Path, say: Say) -> Written:
    """adapter_config.json and adapter_model.safetensors as PEFT reads them, with the head and the tokenizer.

    Raises:
        InputError: the model has no adapter, or one that cannot be told apart from the weights.
        StageError: base and adapter together are not the trained weights: it is not that base.
    """
    refuse_variant(source, "adapter")
    beside = source.folder / TUNING
    if beside.is_dir():
        checks, notes = _copy(beside, source, folder)
    elif source.method in LOW_RANK:
        checks, notes = _found_again(source, folder, say), []
    else:
        raise _none(source)
    for name in BESIDE:
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, folder / name)
    for name in (name for name in HEADS if (source.folder / name).is_dir()):
        shutil.copytree(source.folder / name, folder / name)
    shutil.copyfile(source.folder / "modelmint.json", folder / "modelmint.json")
    shutil.copyfile(source.folder / "config.json", folder / "base_config.json")
    if (folder / "tokenizer_config.json").is_file():
        add_tokenizer_settings(source, folder)
    return Written(usage=_usage(source, folder), checks=checks, notes=notes)


def _copy(beside: Path, source: Source, folder: Path) -> tuple[JSON, list[str]]:
    shutil.copytree(beside, folder, dirs_exist_ok=True)
    _name_base(folder, source)
    return {"apart": True}, ["The base's own weights were not trained; the head, where there is one, was."]


def _found_again(source: Source, folder: Path, say: Say) -> JSON:
    """LoRA's two thin matrices of each layer, from the difference between the trained weights and the base's."""
    import torch

    if source.task not in (*POOLED, *WRITERS):
        raise InputError(
            f"as: must be merged for a model for {source.task}, whose head lies among the weights; got adapter",
            parameter="as",
            remedy=f"modelmint export {source.model.id} FOLDER --as merged",
        )
    say(0, 3, "reading the base")
    base, trained = _base(source), _load(source.task, source.folder)
    layers, others = _differences(base, trained)
    if others:
        raise _wrong_base(source, f"{others[0]} and {len(others) - 1} more differ too" if others[1:] else others[0])
    if not layers:
        raise _wrong_base(source, "not one linear layer differs from the base")
    factors, gap, done = {}, 0.0, 0
    for name, (old_oi, new_oi) in layers.items():
        say(done, len(layers), "finding the adapter")
        up_or, down_ri = _factors(old_oi, new_oi)
        with torch.no_grad():
            left = ((old_oi.double() + up_or.double() @ down_ri.double()) - new_oi.double()).abs().max().item()
        gap = max(gap, left / float(new_oi.abs().max()))
        if 2 * len(down_ri) > min(new_oi.shape) or gap > ROUNDING * 10:
            raise _wrong_base(source, f"{name} differs by a product of rank {len(down_ri)}")
        factors[name], done = (up_or, down_ri), done + 1
    rank = max(len(down_ri) for _, down_ri in factors.values())
    _save(base, factors, rank, source, folder)
    return {"rank": rank, "num_layers": len(factors), "base_plus_adapter_gives_the_weights": True}


def _factors(old_oi: Any, new_oi: Any) -> tuple[Any, Any]:
    """(o, r) and (r, i) whose product is the difference; singular values that rounding alone makes are left out."""
    import torch

    left_ok, values_k, right_ki = torch.linalg.svd(new_oi.double() - old_oi.double(), full_matrices=False)
    noise = float(new_oi.abs().max()) * 2**-23 * (new_oi.shape[0] ** 0.5 + new_oi.shape[1] ** 0.5)
    rank = max(1, int((values_k > noise).sum()))
    root_r = values_k[:rank].sqrt()
    return (left_ok[:, :rank] * root_r).float().contiguous(), (root_r[:, None] * right_ki[:rank]).float().contiguous()


def _differences(base: Any, trained: Any) -> tuple[dict[str, tuple[Any, Any]], list[str]]:
    """Linear layers whose weights differ, by name; and names of other weights that do, or that only one of the two has."""
    from torch import nn

    old, new = base.state_dict(), trained.state_dict()
    linear = {f"{name}.weight": name for name, one in base.named_modules() if isinstance(one, nn.Linear)}
    layers, others = {}, sorted(old.keys() ^ new.keys())
    for name in (name for name in old if name in new):
        if old[name].shape != new[name].shape:
            others.append(name)
        elif not bool((old[name] == new[name]).all()):
            if name in linear:
                layers[linear[name]] = (old[name], new[name])
            else:
                others.append(name)
    return layers, others


def _save(base: Any, factors: Mapping[str, tuple[Any, Any]], rank: int, source: Source, folder: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    kind = "CAUSAL_LM" if source.task in WRITERS else "FEATURE_EXTRACTION"
    config = LoraConfig(task_type=kind, r=rank, lora_alpha=rank, target_modules=sorted(factors), inference_mode=True)
    model = get_peft_model(base, config)
    layers = {
        name.removeprefix("base_model.model."): one for name, one in model.named_modules() if hasattr(one, "lora_A")
    }
    with torch.no_grad():
        for name, (up_or, down_ri) in factors.items():
            down, up = layers[name].lora_A["default"].weight, layers[name].lora_B["default"].weight
            down.zero_()
            up.zero_()
            down[: len(down_ri)] = down_ri
            up[:, : up_or.shape[1]] = up_or
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    _name_base(folder, source)


def _name_base(folder: Path, source: Source) -> None:
    """The base as a stranger finds it, and nothing of this machine's paths; keys in order, for equal bytes."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        return
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = hub_base(source) or str(source.about.get("base") or "")
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _base(source: Source) -> Any:
    from modelmint.training.bases import resolve

    name = source.base or str(source.about.get("base") or "")
    try:
        folder = resolve(name).folder
    except InputError as error:
        raise InputError(
            f"base: must be at hand to tell the adapter apart; the model says {name[:100]!r}, which is not found here",
            parameter="base",
            remedy="Give it: --base FOLDER or its name on the hub; or --as merged, which needs none.",
        ) from error
    return _load(source.task, folder)


def _load(task: str, folder: Path) -> Any:
    from modelmint.training.causal import load_causal
    from modelmint.training.encoders import load_encoder

    return load_causal(folder) if task in WRITERS else load_encoder(folder)


def _usage(source: Source, folder: Path) -> str:
    if not (folder / "adapter_config.json").is_file():
        return _BOTTLENECK
    auto = "AutoModelForCausalLM" if source.task in WRITERS else "AutoModel"
    code = _PEFT.format(auto=auto, base=hub_base(source) or source.about.get("base"))
    head = "\nOn it stand the mean of the states, and the layer in `2_Dense` (`linear.weight`, `linear.bias`).\n"
    tail = head if (folder / "2_Dense").is_dir() else ""
    return f"With `pip install torch transformers peft`:\n\n```python\n{code}```\n{tail}"


def _none(source: Source) -> InputError:
    why = {
        "full": "every weight was trained",
        "freeze": "the upper layers were trained as a whole",
        "dora": "DoRA changes the lengths of the weights too, which no product of thin matrices holds",
        "ia3": "IA3 multiplies the weights, which no product of thin matrices holds",
        "qlora": "QLoRA was added to weights that had been in four bits, which are not the base's",
        "": "no training is on record that says how",
    }.get(source.method, f"it was tuned by {source.method}")
    return InputError(
        f"as: must be merged for this model, which has no adapter that can be told apart: {why}; got adapter",
        parameter="as",
        remedy=f"modelmint export {source.model.id} FOLDER --as merged",
    )


def _wrong_base(source: Source, why: str) -> StageError:
    return StageError(
        f"adapter: base and adapter must give the trained weights; from {source.base or source.about.get('base')} they do "
        f"not: {why}",
        parameter="base",
        remedy="Give the base that it was trained from: --base FOLDER; or --as merged, which needs none.",
    )
