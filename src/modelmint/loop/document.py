"""Reading a recipe's YAML so that every error can say at which line: values and, beside them, where each one stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from modelmint.core.errors import RecipeError

MAX_BYTES = 1 << 20
MAX_NODES = 10_000
MAX_DEPTH = 40

Path_ = tuple[str | int, ...]
"""Where a value stands: ("stages", 3, "train", "epochs")."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A recipe as written."""

    file: Path
    value: Any
    lines: Mapping[Path_, int]

    def error(self, path: Path_, problem: str, *, remedy: str | None = None) -> RecipeError:
        """An error at a place of the document: file, line, key, then the problem."""
        line = next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)
        key = ".".join(str(part) for part in path if not isinstance(part, int)) or "recipe"
        return RecipeError(
            f"{self.file}:{line}: {key}: {problem}", parameter=key, remedy=remedy, file=str(self.file), line=line
        )


def read_document(file: Path) -> Document:
    """Parse a recipe.

    Raises:
        RecipeError: there is no such file, it is no YAML, it is too large, or a key stands twice.
    """
    text = _text(file)
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        lines: dict[Path_, int] = {}
        value = _plain(Document(file=file, value=None, lines=lines), loader, root, (), lines) if root else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise RecipeError(
            f"{file}:{line}: not YAML: {error.problem or error.context}",
            parameter="recipe",
            file=str(file),
            line=line,
            remedy="Check the indentation and the quotes at this line.",
        ) from error
    except yaml.YAMLError as error:
        raise RecipeError(
            f"{file}:1: not YAML: {error}", parameter="recipe", remedy="A recipe is a UTF-8 text file."
        ) from error
    finally:
        loader.dispose()
    return Document(file=file, value=value, lines=lines)


def _text(file: Path) -> str:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise RecipeError(
                f"{file}: a recipe is at most {MAX_BYTES:,} bytes; this file has {size:,}", parameter="recipe"
            )
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise RecipeError(
            f"{file}: no such recipe",
            parameter="recipe",
            remedy="Give the path of a recipe.yaml; examples/ has some to copy.",
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{file}: a recipe is UTF-8 text; byte {error.start} is not",
            parameter="recipe",
            remedy="Save the file as UTF-8.",
        ) from error


def _plain(document: Document, loader: Any, node: Any, path: Path_, lines: dict[Path_, int]) -> Any:
    """The node as plain values; `lines` gets the line of every key and item."""
    lines.setdefault(path, node.start_mark.line + 1)
    if len(lines) > MAX_NODES or len(path) > MAX_DEPTH:
        raise document.error(
            path[:MAX_DEPTH], f"a recipe has at most {MAX_NODES:,} values, nested at most {MAX_DEPTH} deep"
        )
    if isinstance(node, yaml.SequenceNode):
        return [_plain(document, loader, item, (*path, index), lines) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    value: dict[str, Any] = {}
    for key_node, item in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        lines[(*path, key)] = key_node.start_mark.line + 1
        if key in value:
            raise document.error((*path, key), "stands twice", remedy="Keep one of the two.")
        value[key] = _plain(document, loader, item, (*path, key), lines)
    return value
