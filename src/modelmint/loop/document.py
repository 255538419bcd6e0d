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
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
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
        if loader is not None:
            loader.dispose()
    return Document(file=file, value=value, lines=lines)


class _Loader(yaml.SafeLoader):
    """Stops at the first node too many or too deep, before anything of that size is made of it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._num_nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._num_nodes, self._depth = self._num_nodes + 1, self._depth + 1
        if self._num_nodes > 2 * MAX_NODES or self._depth > MAX_DEPTH + 1:  # a key is a node, too
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=_TOO_MUCH, problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


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
        raise document.error(path[:MAX_DEPTH], _TOO_MUCH)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(document, loader, item, (*path, index), lines) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(document, loader, node, path)
    value: dict[str, Any] = {}
    for key_node, item in node.value:
        key = str(_scalar(document, loader, key_node, path))
        lines[(*path, key)] = key_node.start_mark.line + 1
        if key in value:
            raise document.error((*path, key), "stands twice", remedy="Keep one of the two.")
        value[key] = _plain(document, loader, item, (*path, key), lines)
    return value


def _scalar(document: Document, loader: Any, node: Any, path: Path_) -> Any:
    kind = node.tag.rpartition(":")[2]
    if kind in {"int", "float", "timestamp"} and len(node.value) > _MAX_NUMBER_CHARS:  # 1:59:59:... takes seconds
        raise document.error(path, f"a number has at most {_MAX_NUMBER_CHARS} characters; this has {len(node.value):,}")
    try:
        value = loader.construct_object(node, deep=True)
    except ValueError as error:
        raise document.error(path, f"is no {kind}: {node.value[:60]!r}", remedy="Put a text in quotes.") from error
    if isinstance(value, str) and any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
        raise document.error(path, "holds a NUL or half of a surrogate pair, which no database takes")
    return value


_TOO_MUCH = f"a recipe has at most {MAX_NODES:,} values, nested at most {MAX_DEPTH} deep"
_MAX_NUMBER_CHARS = 100
