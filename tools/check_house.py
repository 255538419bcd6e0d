"""The house rules that no linter knows: sizes, names, asserts, the docstring of every public thing, the layout in the README."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "modelmint"

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
BANNED_NAMES = re.compile(r"(Manager|Helper|Utils?)$|^(misc|utils\d*|helpers?)$")
UNPICKLES = {"pickle.load", "pickle.loads", "torch.load", "joblib.load", "yaml.load", "eval", "exec"}
BROAD = {
    "src/modelmint/data/sources/parse_process.py",
    "src/modelmint/loop/durable.py",
    "src/modelmint/loop/process.py",
    "src/modelmint/training/workers/worker.py",
}
"""The named process boundaries, where `except Exception` may stand."""


def main() -> int:
    found = [problem for path in sorted(SOURCE.rglob("*.py")) for problem in look(path)]
    found += readme_layout()
    for problem in found:
        print(problem)
    print(f"house rules: {len(found)} problems in {len(list(SOURCE.rglob('*.py')))} files")
    return 1 if found else 0


def look(path: Path) -> Iterator[str]:
    """The problems of one file."""
    text, place = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
    tree = ast.parse(text)
    if (lines := text.count("\n")) > MAX_FILE_LINES:
        yield f"{place}: {lines} lines; at most {MAX_FILE_LINES}"
    if text.strip() and not ast.get_docstring(tree) and "migrations" not in place.parts:
        yield f"{place}:1: a module says in a docstring what it does"
    if BANNED_NAMES.search(path.stem):
        yield f"{place}: a file is named after a verb or a noun of the glossary"
    for node in ast.walk(tree):
        yield from look_at(node, str(place))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield from documented(node, str(place))


def look_at(node: ast.AST, place: str) -> Iterator[str]:
    if isinstance(node, ast.Assert):
        yield f"{place}:{node.lineno}: assert; input is checked with errors"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        doc = ast.get_docstring(node, clean=False)
        lines = (node.end_lineno or 0) - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
        if lines > MAX_FUNCTION_LINES and "migrations" not in place:
            yield f"{place}:{node.lineno}: {node.name} has {lines} lines; at most {MAX_FUNCTION_LINES}"
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and BANNED_NAMES.search(node.name):
        yield f"{place}:{node.lineno}: {node.name}: name it after what it is"
    if (
        isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and place not in BROAD
    ):
        yield f"{place}:{node.lineno}: a broad except stands only at a named process boundary"
    if isinstance(node, ast.Call) and ast.unparse(node.func) in UNPICKLES:
        yield f"{place}:{node.lineno}: {ast.unparse(node.func)} can run code"


def documented(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, place: str) -> Iterator[str]:
    """Commands get their help from docstrings; stages, types and services state their contract."""
    if not ast.get_docstring(node) and not ("/cli/" in place or "migrations" in place) and len(node.body) > 3:
        yield f"{place}:{node.lineno}: {node.name} is public and has no docstring"


def readme_layout() -> Iterator[str]:
    """Every room stands in the READMEs with a gloss, and nothing that is not there."""
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        told = set(re.findall(r"^\s+([a-z]+)/\s{2,}\S", text, re.MULTILINE)) - {"src", "modelmint"}
        missing, extra = rooms - told, told - rooms - {"tests", "benchmarks", "docs", "examples", "tools"}
        if missing or extra:
            yield f"{name}: the layout lacks {sorted(missing)} and tells of {sorted(extra)}"


if __name__ == "__main__":
    sys.exit(main())
