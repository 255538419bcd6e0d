"""What the workers of a training are told, and what they tell: files in a folder that all of them read and write."""

import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

from modelmint.core.errors import ModelmintError, StageError, from_dict
from modelmint.core.types import JSON, Dataset
from modelmint.training.bases import resolve
from modelmint.training.beginnings import Beginning
from modelmint.training.spec import TrainSpec

ORDER, PROGRESS, MADE, ERROR, MODEL = "order.json", "progress.json", "made.json", "error.json", "model"
FAILED = "failed"
"""Begins the names of the files in which workers say what they did not foresee."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A training as JSON. Its rows lie in plain files beside it, for as long as the stage runs.

    `num_threads` is of each worker; `deadline_s` is in seconds of the wall clock.
    """

    folder: Path
    checkpoints: Path
    spec: TrainSpec
    train: Dataset
    validation: Dataset
    task: str
    beginning: Beginning
    seed: int
    num_threads: int
    deadline_s: float | None

    def write(self) -> Path:
        """Into `folder`, which is made anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        beginning = asdict(self.beginning)
        value = {
            "checkpoints": str(self.checkpoints),
            "spec": self.spec.model_dump(mode="json"),
            "train": _told(self.train),
            "validation": _told(self.validation),
            "task": self.task,
            "beginning": {**beginning, "folder": str(beginning["folder"]) if beginning["folder"] else None},
            "seed": self.seed,
            "num_threads": self.num_threads,
            "deadline_s": self.deadline_s,
        }
        path = self.folder / ORDER
        path.write_text(json.dumps(value), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """As a worker reads it.

        Raises:
            StageError: this machine does not see the files of the one that wrote it.
        """
        _must_be_here(path)
        value: JSON = json.loads(path.read_text(encoding="utf-8"))
        _must_be_here(Path(value["checkpoints"]))
        spec = TrainSpec.model_validate(value["spec"])
        return cls(
            folder=path.parent,
            checkpoints=Path(value["checkpoints"]),
            spec=spec,
            train=_dataset(value["train"]),
            validation=_dataset(value["validation"]),
            task=value["task"],
            beginning=_beginning(value["beginning"], spec),
            seed=value["seed"],
            num_threads=value["num_threads"],
            deadline_s=value["deadline_s"],
        )


def has_ended(folder: Path) -> bool:
    """The model is made, or cannot be."""
    return (folder / MADE).is_file() or (folder / ERROR).is_file()


def put(folder: Path, name: str, value: JSON) -> None:
    """Write a JSON file that is whole when it has its name."""
    partial = folder / f"{name}.partial"
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(folder / name)


def found(folder: Path, name: str) -> JSON | None:
    """A JSON file, or None where it is not there."""
    try:
        value: JSON = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return value


def made(folder: Path) -> JSON | None:
    """What the workers made; None while they have made nothing.

    Raises:
        ModelmintError: what one of them raised.
    """
    if (error := found(folder, ERROR)) is not None:
        raise from_dict(error)
    return found(folder, MADE)


def put_error(folder: Path, error: ModelmintError) -> None:
    put(folder, ERROR, error.to_dict())


class _Folder:
    """The files of an artifact, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        return (self._folder / path).open("rb")

    def folder(self) -> Path:
        return self._folder


def _told(dataset: Dataset) -> JSON:
    manifest = {"facts": dataset.facts, "measured": {}, "files": list(dataset.manifest["files"])}
    return {
        "id": dataset.id,
        "name": dataset.name,
        "digest": dataset.digest,
        "manifest": manifest,
        "folder": str(dataset.files.folder()),
    }


def _dataset(value: Mapping[str, Any]) -> Dataset:
    folder = Path(value["folder"])
    _must_be_here(folder)
    about = {name: value[name] for name in ("id", "name", "digest", "manifest")}
    return Dataset(kind="dataset", files=_Folder(folder), **about)


def _beginning(value: JSON, spec: TrainSpec) -> Beginning:
    """Where the folder of a base lies elsewhere on this machine, or is still to be downloaded, its digest is compared."""
    folder = Path(value["folder"]) if value["folder"] else None
    if folder is not None and not folder.is_dir() and not value["about"]:
        base = resolve(spec.base)
        if base.digest != value["digest"]:
            raise StageError(
                f"base: {spec.base} must be the same on every machine of the cluster; here its digest is {base.digest}",
                parameter="base",
                remedy="Install the same base on all machines, or put it on storage that all of them read.",
            )
        folder = base.folder
    elif folder is not None:
        _must_be_here(folder)
    return Beginning(**{**value, "folder": folder})


def _must_be_here(path: Path) -> None:
    if not path.exists():
        import socket

        raise StageError(
            f"MODELMINT_HOME: must be one folder to all machines of the cluster; {socket.gethostname()} sees no {path}",
            parameter="MODELMINT_HOME",
            remedy="Put it on storage that every machine of the cluster reads and writes, at the same path.",
        )
