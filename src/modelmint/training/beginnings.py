"""What a training begins from: a base, an earlier model, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from modelmint.core.errors import InputError
from modelmint.core.hashing import digest
from modelmint.core.types import JSON, Model
from modelmint.training.bases import read_folder, resolve
from modelmint.training.spec import TrainSpec

NOTHING = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Beginning:
    """A folder of weights and tokenizer, and what is known of it; no folder where nothing is begun from.

    `about` is what `modelmint.json` says of the earlier model, empty for a base; `max_tokens` is the longest text that
    its positions allow.
    """

    folder: Path | None
    digest: str
    base: str
    licence: str
    languages: Sequence[str]
    max_tokens: int
    about: JSON

    @property
    def is_warm(self) -> bool:
        """An earlier model of ours is gone on from."""
        return bool(self.about)

    @classmethod
    def of(cls, spec: TrainSpec, start: Model | None) -> Self:
        """The beginning that a spec names, on this machine.

        Raises:
            InputError, IntegrityError, UnavailableError: as `bases.resolve`.
        """
        if start is not None:
            return cls._from_model(start)
        if spec.base == NOTHING:
            return cls(
                folder=None,
                digest=digest(NOTHING),
                base=NOTHING,
                licence="",
                languages=(),
                max_tokens=131_072,
                about={},
            )
        if spec.architecture is not None or spec.tokenizer is not None:
            name = "architecture" if spec.architecture is not None else "tokenizer"
            raise InputError(
                f"{name}: must be left out with a base, which brings its own; base is {spec.base}",
                parameter=name,
                remedy=f"Take {name} out, or set `base: none` to start from nothing.",
            )
        base = resolve(spec.base)
        return cls(
            folder=base.folder,
            digest=base.digest,
            base=base.name,
            licence=base.licence,
            languages=base.languages,
            max_tokens=base.max_tokens,
            about={},
        )

    @classmethod
    def _from_model(cls, start: Model) -> Self:
        from modelmint.training.tasks import read_about

        folder = start.files.folder()
        about = read_about(folder)
        return cls(
            folder=folder,
            digest=start.digest,
            base=about["base"],
            licence=about["licence"],
            languages=about["languages"],
            max_tokens=read_folder(folder, name=about["base"]).max_tokens
            if (folder / "config.json").is_file()
            else 131_072,
            about=about,
        )
