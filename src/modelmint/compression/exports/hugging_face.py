"""A Hugging Face folder that a stranger opens: transformers, or sentence-transformers, and nothing of ours."""

import json
import shutil
from pathlib import Path

from modelmint.compression.exports.card import read_json
from modelmint.compression.exports.source import OWN_FAMILIES, TUNING, Say, Source, Written, refuse_variant
from modelmint.compression.exports.usage import usage_of
from modelmint.core.errors import InputError
from modelmint.core.types import JSON

MERGED = ("lora", "rslora", "dora", "qlora", "adalora", "ia3")
"""Methods whose parts were added to the weights when the model was saved."""

GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")


def write_hf(source: Source, folder: Path, _say: Say) -> Written:
    """Copy the trained folder, with the tokenizer's settings where the base had none.

    Raises:
        InputError: no class of transformers knows the model, or a part of it cannot be merged into its weights.
    """
    refuse_variant(source, "hf")
    _check_known(source)
    if (source.folder / TUNING).is_dir():
        raise InputError(
            f"as: must be adapter for a model tuned by {source.method or 'such a method'}, whose parts cannot be merged; "
            "without them transformers would open the folder and answer as the base does",
            parameter="as",
            remedy=f"modelmint export {source.model.id} FOLDER --as adapter",
        )
    shutil.copytree(source.folder, folder, dirs_exist_ok=True)
    add_tokenizer_settings(source, folder)
    return Written(usage=usage_of(source, folder), notes=limits_of_use(source))


def write_merged(source: Source, folder: Path, say: Say) -> Written:
    """The same folder, for a model whose adapter was merged.

    Raises:
        InputError: as `write_hf`.
    """
    written = write_hf(source, folder, say)
    if source.method in MERGED:
        written.notes.append(f"What {source.method} trained is merged into the weights: nothing else is needed.")
    else:
        by = f"by {source.method}" if source.method else "in a way that is not on record"
        written.notes.append(
            f"The model was trained {by}: there was no adapter to merge, and this is what --as hf gives."
        )
    return written


def add_tokenizer_settings(source: Source, folder: Path) -> None:
    """What AutoTokenizer and sentence-transformers read, where the base came without it: lengths, padding, inputs."""
    if not (folder / "tokenizer.json").is_file():
        return
    config, path = read_json(folder / "config.json"), folder / "tokenizer_config.json"
    settings = read_json(path)
    added = {**_special_tokens(folder, config), **settings}
    added.setdefault("tokenizer_class", "PreTrainedTokenizerFast")
    if source.about.get("max_tokens"):
        added["model_max_length"] = int(source.about["max_tokens"])
    if (
        added["tokenizer_class"] in GENERIC
    ):  # which does not know whether this model is told the two texts of a pair apart
        types = ["token_type_ids"] if int(config.get("type_vocab_size") or 0) > 1 else []
        added.setdefault("model_input_names", ["input_ids", *types, "attention_mask"])
    path.write_text(json.dumps(added, indent=2, ensure_ascii=False), encoding="utf-8")
    if (folder / "modules.json").is_file() and source.about.get("max_tokens"):
        lengths = {"max_seq_length": int(source.about["max_tokens"]), "do_lower_case": False}
        (folder / "sentence_bert_config.json").write_text(json.dumps(lengths, indent=2), encoding="utf-8")


def limits_of_use(source: Source) -> list[str]:
    """What a stranger's tool would not know by itself."""
    notes = []
    if source.about.get("overlap") is not None:
        notes.append("Rows longer than max_tokens are read here in windows; the lines above read their first window.")
    if source.task == "token-classification" and source.about.get("entities"):
        notes.append(
            "The lines above take each word's likeliest tag; Modelmint takes the likeliest row of tags that BIO allows."
        )
    return notes


def _special_tokens(folder: Path, config: JSON) -> JSON:
    """The tokens for padding and the end, by the config's ids."""
    from tokenizers import Tokenizer

    tokenizer, found = Tokenizer.from_file(str(folder / "tokenizer.json")), {}
    for role in ("pad", "bos", "eos", "unk", "mask", "cls", "sep"):
        token_id = config.get(f"{role}_token_id")
        token = tokenizer.id_to_token(token_id) if isinstance(token_id, int) else None
        usual = next((name for name in _USUAL.get(role, ()) if tokenizer.token_to_id(name) is not None), None)
        if token or usual:
            found[f"{role}_token"] = token or usual
    return found


_USUAL = {
    "pad": ("[PAD]", "<pad>"), "unk": ("[UNK]", "<unk>"), "mask": ("[MASK]", "<mask>"), "cls": ("[CLS]", "<s>"), "sep": ("[SEP]", "</s>")
}  # fmt: skip


def _check_known(source: Source) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    family = read_json(source.folder / "config.json").get("model_type")
    if family in CONFIG_MAPPING_NAMES and (source.folder / "config.json").is_file():
        return
    what = f"a network of our own ({family})" if family in OWN_FAMILIES else f"no model of transformers ({source.task})"
    other = "onnx" if family in OWN_FAMILIES[::2] else "edge"
    raise InputError(
        f"as: must be a format that holds such a model; hf needs a family that transformers knows, and this is {what}",
        parameter="as",
        remedy=f"Try --as {other} where it fits, or leave --as out: the artifact's own files, with safetensors, are copied.",
    )
