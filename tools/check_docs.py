"""The docs say what is so: generated parts are fresh, links lead somewhere, commands exist, the READMEs agree.

python tools/check_docs.py
"""

import ast
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import yaml
from docs_reference import DOCS, ROOT, commands, parts, replaced

from modelmint.core import settings, types
from modelmint.core.errors import ModelmintError
from modelmint.loop.recipe import compile_recipe

READMES = ("README.md", "README.zh-CN.md")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|a)\s[^>]*?(?:src|href)=\"([^\"]+)\"")
COMMENT = re.compile(r"\s+#.*$", re.MULTILINE)
INCLUDED = "--8<--"


def main() -> int:
    pages = markdown()
    found = [
        *stale(),
        *undocumented_settings(),
        *glossary(),
        *different(*((ROOT / name).read_text(encoding="utf-8") for name in READMES)),
    ]
    for page in pages:
        text, place = page.read_text(encoding="utf-8"), str(page.relative_to(ROOT))
        found += [f"{place}: {problem}" for problem in (*broken(text, page.parent), *unknown(text), *unreadable(text))]
    for problem in found:
        print(problem)
    print(f"docs: {len(found)} problems in {len(pages)} pages")
    return 1 if found else 0


def markdown() -> list[Path]:
    """Every page of the repository that people read."""
    folders = [path for name in ("docs", "examples", "benchmarks") for path in (ROOT / name).rglob("*.md")]
    return sorted(
        path
        for path in (*ROOT.glob("*.md"), *folders)
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )


def stale() -> Iterator[str]:
    """Generated parts that are not what would be written now."""
    for (page, name), text in parts().items():
        before = (DOCS / page).read_text(encoding="utf-8")
        if replaced(before, name, text) != before:
            yield f"docs/{page}: the part {name} is stale; run: python tools/docs_reference.py"


def undocumented_settings() -> Iterator[str]:
    """Variables that the code reads and the table of settings does not have."""
    source = Path(settings.__file__).read_text(encoding="utf-8")
    told = set(re.findall(r"MODELMINT_[A-Z_]+", settings.__doc__ or ""))
    for name in sorted(set(re.findall(r"\"(MODELMINT_[A-Z_]+)\"", source)) - told):
        yield f"core/settings.py: {name} is read and not in the table"


def glossary() -> Iterator[str]:
    """Nouns of core/types.py that the glossary lacks."""
    told = set(re.findall(r"\*\*(\w+)\*\*", (DOCS / "glossary.md").read_text(encoding="utf-8")))
    tree = ast.parse(Path(types.__file__).read_text(encoding="utf-8"))
    nouns = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    nouns |= {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for noun in sorted(nouns - told):
        yield f"docs/glossary.md: lacks {noun} of core/types.py"


def different(ours: str, theirs: str) -> Iterator[str]:
    """Where two READMEs show other code or name other commands. Comments and the layout, which has no commands, may differ."""
    blocks = [
        [(kind, COMMENT.sub("", code)) for kind, code in FENCE.findall(text) if kind != "text"]
        for text in (ours, theirs)
    ]
    for first, second in zip(*blocks, strict=False):
        if first != second:
            yield f"{READMES[1]}: a {first[0]} block differs from that in {READMES[0]}: {second[1].strip()[:80]!r}"
    if len(blocks[0]) != len(blocks[1]):
        yield f"{READMES[1]}: has {len(blocks[1])} code blocks where {READMES[0]} has {len(blocks[0])}"
    spoken = [
        {code for code in CODE.findall(FENCE.sub("", text)) if re.match(r"(make|modelmint)\s", code)}
        for text in (ours, theirs)
    ]
    if spoken[0] != spoken[1]:
        yield f"{READMES[1]}: names other commands than {READMES[0]}: {', '.join(sorted(spoken[0] ^ spoken[1]))}"


def broken(text: str, folder: Path) -> Iterator[str]:
    """Relative links that lead nowhere."""
    for written, tagged in LINK.findall(CODE.sub("", FENCE.sub("", text))):
        target = (written or tagged).partition("#")[0]
        if target and "://" not in target and not target.startswith("mailto:") and not (folder / target).exists():
            yield f"the link {target} leads nowhere"


def unknown(text: str) -> Iterator[str]:
    """Commands of make and modelmint, in code, that do not exist."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shell = [
        line
        for kind, code in FENCE.findall(text)
        if kind in ("sh", "bash", "console")
        for line in code.replace("\\\n", " ").splitlines()
    ]
    for line in [*shell, *CODE.findall(FENCE.sub("", text))]:
        words = _words(line)
        if words[:1] == ["make"] and len(words) > 1 and re.fullmatch(r"[a-z-]+", words[1]) and words[1] not in targets:
            yield f"`{line.strip()}`: the Makefile has no target {words[1]}"
        if words[:1] == ["modelmint"]:
            yield from _unknown(line, words[1:])


def unreadable(text: str) -> Iterator[str]:
    """Blocks of Python, JSON and YAML that cannot be read, and recipes that do not compile."""
    for kind, code in FENCE.findall(text):
        if INCLUDED in code:
            continue
        try:
            if kind == "python":
                ast.parse(code)
            elif kind == "json":
                json.loads(code)
            elif kind == "yaml" and "stages" in (yaml.safe_load(code) or {}):
                _compile(code)
        except (SyntaxError, ValueError, yaml.YAMLError, ModelmintError) as error:
            yield f"a {kind} block is wrong: {error}"


def _compile(code: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recipe.yaml"
        file.write_text(code, encoding="utf-8")
        compile_recipe(file)


def _words(line: str) -> list[str]:
    """The words of a command line, without a prompt, a path to the command or a comment; none where it is no command."""
    try:
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
    except ValueError:
        return []
    return [Path(words[0]).name, *words[1:]] if words else []


def _unknown(line: str, words: list[str]) -> Iterator[str]:
    """What `modelmint` would not know of these words."""
    known, path = commands(), ""
    command: click.Command = known[""]
    flags: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            flags.append(word)
            option = next((one for one in command.params if word in (*one.opts, *one.secondary_opts)), None)
            if option is None and word not in ("-h", "--help", "--version"):
                yield f"`{line.strip()}`: modelmint {path} has no option {word}"
            skip = isinstance(option, click.Option) and not option.is_flag
        elif isinstance(command, click.Group):
            path = f"{path} {word}".strip()
            if path not in known:
                yield f"`{line.strip()}`: modelmint has no command {path}"
                return
            command = known[path]


if __name__ == "__main__":
    sys.exit(main())
