"""What a pupil begins as that is not a part of the trained model: another base, or a small encoder from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.bases import resolve
from modelmint.training.beginnings import Beginning
from modelmint.training.catalogue import CATALOGUE
from modelmint.training.spec import TrainSpec

FROM_NOTHING = ("text-cnn", "lstm", "transformer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Student:
    """A folder with an encoder and its tokenizer, without a head; `told` is what modelmint.json says otherwise for it."""

    folder: Path
    told: JSON


def student(name: str, texts: Sequence[str], teacher: Path, output: Path, *, max_tokens: int, seed: int) -> Student:
    """The encoder of that name.

    Args:
        texts: what a tokenizer is learned from, where it is made from nothing.
        teacher: a folder whose tokenizer says whether capitals are read.

    Raises:
        InputError: there is no such base, it cannot be had, or it does not read texts.
    """
    if name in FROM_NOTHING:
        return Student(folder=_from_nothing(name, texts, teacher, output, max_tokens, seed), told={})
    if name not in CATALOGUE:
        raise InputError(
            f"try: base-NAME must name one of {', '.join((*FROM_NOTHING, *CATALOGUE))}; got {name!r}",
            parameter="try",
            remedy="`base-text-cnn` is made from nothing and needs no network.",
        )
    base = resolve(name)
    if base.kind != "encoder":
        raise InputError(
            f"try: base-NAME must be an encoder of text; {name} is a base of the kind {base.kind}",
            parameter="try",
            remedy="`base-text-cnn` is one.",
        )
    told = {
        "base": base.name,
        "licence": base.licence,
        "languages": list(base.languages),
        "max_tokens": min(max_tokens, base.max_tokens),
    }
    return Student(folder=base.folder, told=told)


def _from_nothing(name: str, texts: Sequence[str], teacher: Path, output: Path, max_tokens: int, seed: int) -> Path:
    from tokenizers import Tokenizer

    from modelmint.training.knobs import Knobs
    from modelmint.training.learner import Setting
    from modelmint.training.scratch.new_base import new_base

    normalizer = Tokenizer.from_file(str(teacher / "tokenizer.json")).normalizer
    reads_small = normalizer is not None and normalizer.normalize_str("A") == "a"
    spec = TrainSpec.model_validate(
        {"base": "none", "architecture": {"name": name}, "tokenizer": {"name": "wordpiece", "lowercase": reads_small}}
    )
    setting = Setting(
        spec=spec, knobs=Knobs(max_tokens=max_tokens), options=None, beginning=Beginning.of(spec, None), seed=seed
    )
    return new_base(setting, texts, output)
