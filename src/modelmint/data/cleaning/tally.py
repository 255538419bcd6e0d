"""What each rule of cleaning did: how many cells or rows, and a few of them to look at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from modelmint.data.quarantine import printable

NUM_EXAMPLES = 3
EXAMPLE_CHARS = 240
_AROUND_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule by name. `changes` mends cells, `removes` takes rows out."""

    name: str
    kind: Literal["changes", "removes"]
    about: str
    source: str = ""
    """Where it was published."""


@dataclass(kw_only=True)
class Tally:
    """One rule's work. Not thread-safe."""

    rule: Rule
    number: int = 0
    """Cells changed, or rows taken out."""
    num_kept: int = 0
    """Declared evaluation rows that fail the rule and stay."""
    examples: list[dict[str, str]] = field(default_factory=list)

    def changed(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Count the cells that differ. Shapes: (N,), (N,)."""
        for old, new in zip(before, after, strict=True):
            if old is not new and old != new:
                self.number += 1
                if len(self.examples) < NUM_EXAMPLES:
                    shown_old, shown_new = _where_they_differ(old, new)
                    self.examples.append({"before": shown_old, "after": shown_new})

    def removed(self, text: str, detail: str, *, kept: bool = False) -> None:
        """Count one row that fails the rule."""
        self.num_kept += kept
        self.number += not kept
        if len(self.examples) < NUM_EXAMPLES and not kept:
            self.examples.append({"text": _cut(text), "detail": detail})

    def facts(self) -> dict[str, Any]:
        """As it stands in the report."""
        rule = self.rule
        return {
            "name": rule.name,
            "kind": rule.kind,
            "about": rule.about,
            "source": rule.source,
            "number": self.number,
            "kept_evaluation_rows": self.num_kept,
            "examples": self.examples,
        }


def _where_they_differ(old: str, new: str) -> tuple[str, str]:
    """Both texts around their first difference, so that a change far into a long text can be seen."""
    same = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
    same = min(len(old), len(new)) if same is None else same
    start = max(0, same - _AROUND_CHARS) if max(len(old), len(new)) > EXAMPLE_CHARS else 0
    ahead = "…" if start else ""
    return ahead + _cut(old[start:]), ahead + _cut(new[start:])


def _cut(text: str) -> str:
    """With what cannot be seen written out: invisible characters, the ends of lines, spaces at the ends and runs of them."""
    shown = "".join(letter if letter.isprintable() else _SIGNS.get(letter, f"⟨U+{ord(letter):04X}⟩")
                    for letter in text[:EXAMPLE_CHARS])  # fmt: skip
    if not text:
        return "(empty)"
    shown = _SPACES.sub(lambda found: "␣" * len(found[0]), shown)
    return printable(shown + ("…" if len(text) > EXAMPLE_CHARS else ""))


_SPACES = re.compile("^ +| +$| {2,}")
_SIGNS = {"\n": "⏎", "\t": "⇥", "\u00a0": "⍽"}
