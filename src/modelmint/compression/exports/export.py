"""Walking away with a model: a folder in a format that others open.

export(catalog, "model_…", Path("walk"), "hf", verdict=verdict)      Hugging Face, as transformers opens it
export(catalog, "model_…", Path("bundle"), "edge", verdict=verdict)  a variant with a runner, without PyTorch
"""

import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelmint import __version__
from modelmint.catalog.audit import note
from modelmint.catalog.blobs import no_space
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.compression.exports.card import card
from modelmint.compression.exports.licences import copy_licences
from modelmint.compression.exports.source import Say, Source, Written, read_source
from modelmint.core.errors import InputError
from modelmint.core.hashing import file_digest
from modelmint.core.types import JSON

MARK = "export.json"
"""What an export is, told beside it; only a folder that has it is replaced."""
SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One way to walk away: what it is, and ``module:function`` that writes it into an empty folder."""

    about: str
    code: str

    def writer(self) -> Callable[[Source, Path, Say], Written]:
        """The function; its libraries are imported now."""
        module, _, name = self.code.partition(":")
        found: Callable[[Source, Path, Say], Written] = getattr(importlib.import_module(module), name)
        return found


_HERE = "modelmint.compression.exports"
FORMATS = {
    "hf": Format(
        about="a Hugging Face folder that transformers or sentence-transformers opens alone",
        code=f"{_HERE}.hugging_face:write_hf",
    ),
    "adapter": Format(
        about="what LoRA and its kin trained, to be put to the base again", code=f"{_HERE}.adapter:write_adapter"
    ),
    "merged": Format(
        about="a Hugging Face folder with the adapter merged into the weights",
        code=f"{_HERE}.hugging_face:write_merged",
    ),
    "onnx": Format(about="an fp32 ONNX file with its tokenizer", code=f"{_HERE}.onnx_file:write_onnx"),
    "openvino": Format(
        about="OpenVINO's IR with its tokenizer (the extra `openvino`)", code=f"{_HERE}.openvino_ir:write_openvino"
    ),
    "gguf": Format(about="a GGUF file for llama.cpp (the extra `gguf`)", code=f"{_HERE}.gguf_file:write_gguf"),
    "edge": Format(
        about="the chosen variant with a small runner that needs no PyTorch", code=f"{_HERE}.edge:write_edge"
    ),
}


def export(
    catalog: Catalog,
    identifier: str,
    target: Path,
    form: str,
    *,
    verdict: JSON,
    variant: str | None = None,
    base: str | None = None,
    force: bool = False,
    actor: str = "local",
    say: Say = lambda _done, _total, _message: None,
) -> JSON:
    """Write a model into a new folder; it appears when all of it is there. Equal models give equal bytes.

    Args:
        identifier: a trained model, or one of its variants, by id or name.
        form: one of `FORMATS`.
        verdict: what its licences allow (`trust.licences.verdict`).
        variant: for ``edge``: another variant than the chosen one.
        base: for ``adapter``: the folder or name of the base, where it is not where the model says.
        force: replace a folder that an export made.

    Returns:
        ``{"path", "format", "model", "digest", "task", "size_bytes", "files": [{"path", "size_bytes", "sha256"}],
        "checks", "notes"}``.

    Raises:
        NotFoundError: there is no such model.
        InputError: the format is unknown, does not fit the model, or needs an extra; or the folder is not empty.
        StageError: the exported model does not answer as the model does.
    """
    if form not in FORMATS:
        raise InputError(
            f"as: must be one of {', '.join(FORMATS)}; got {form[:40]!r}",
            parameter="as",
            remedy="For example: --as hf. Without --as the artifact's own files are copied.",
        )
    _check_target(target, force=force)
    if variant is not None and form != "edge":
        raise InputError(
            f"variant: is for --as edge alone; got it with {form}", parameter="variant", remedy="Take --variant out."
        )
    with _copies_of(catalog), no_space(target.parent), _whole(target, force=force) as draft:
        source = read_source(catalog, identifier, verdict=verdict, variant=variant, base=base)
        say(0, 3, f"writing {form}")
        written = FORMATS[form].writer()(source, draft, say)
        say(2, 3, "writing the card, licences and checksums")
        licensed = copy_licences(source, draft)
        (draft / "README.md").write_text(card(source, draft, form, written, licensed), encoding="utf-8")
        _write_mark(source, draft, form, written)
        files = _sums(draft)
        with writing(catalog.engine) as connection:
            note(connection, catalog, actor=actor, action="model.export", subject=source.model.id, format=form)
    say(3, 3, "done")
    return {
        "path": str(target),
        "format": form,
        "model": source.model.id,
        "digest": source.model.digest,
        "task": source.task,
        "size_bytes": sum(file["size_bytes"] for file in files),
        "files": files,
        "checks": written.checks,
        "notes": written.notes,
    }


def _check_target(target: Path, *, force: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(
            f"folder: must be a folder, new or empty; {target} is a link or a file",
            parameter="folder",
            remedy="Give another folder.",
        )
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not force:
        raise InputError(
            f"folder: must be new or empty; {target} is not",
            parameter="folder",
            remedy="Give another folder, or --force to replace an earlier export.",
        )
    if not (target / MARK).is_file():
        raise InputError(
            f"folder: --force replaces only what an export wrote, which has {MARK}; {target} has none",
            parameter="folder",
            remedy="Give another folder, or empty this one yourself.",
        )


@contextmanager
def _copies_of(catalog: Catalog) -> Iterator[None]:
    """The plain copies of what is read are gone afterwards."""
    try:
        yield
    finally:
        catalog.forget_copies()


@contextmanager
def _whole(target: Path, *, force: bool) -> Iterator[Path]:
    """A draft beside the target that takes its place when everything is written."""
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{os.getpid()}.draft"
    old = target.parent / f".{target.name}.{os.getpid()}.old"
    shutil.rmtree(draft, ignore_errors=True)  # of a process of that number that was killed
    draft.mkdir()
    try:
        yield draft
        if force and target.is_dir():
            target.rename(old)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if old.is_dir() and not target.exists():
            old.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _write_mark(source: Source, draft: Path, form: str, written: Written) -> None:
    """No times and no ids, which another training of the same model would have others of."""
    told = {
        "format": form,
        "task": source.task,
        "base": source.about.get("base"),
        "method": source.method or None,
        "model_digest": source.model.digest,
        "checks": written.checks,
        "made_with": f"modelmint {__version__}",
    }
    (draft / MARK).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _sums(draft: Path) -> list[JSON]:
    """Write `SUMS` over every file, as ``sha256sum -c`` reads it; what it lists, and itself."""
    files = [_entry(draft, path) for path in sorted(draft.rglob("*")) if path.is_file()]
    lines = [f"{file['sha256']}  {file['path']}\n" for file in files]
    (draft / SUMS).write_text("".join(lines), encoding="utf-8")
    return [*files, _entry(draft, draft / SUMS)]


def _entry(draft: Path, path: Path) -> JSON:
    place = path.relative_to(draft).as_posix()
    return {"path": place, "size_bytes": path.stat().st_size, "sha256": file_digest(path)}
