"""What the report of `deidentify` says, and what it says is missing."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelmint.core.types import Dataset
from modelmint.data.facts import warning
from modelmint.data.personal.masking import Masking
from modelmint.data.personal.recognizers import FOUND_BY_PATTERN, KINDS, NAMED, Kind
from modelmint.data.personal.search import Engine

if TYPE_CHECKING:
    from modelmint.data.deidentify import DeidentifySpec


def facts_of(
    spec: "DeidentifySpec", data: Dataset, masking: Masking, engines: Sequence[Engine], *, num_dropped: int
) -> dict[str, Any]:
    """The facts of the report; `masked` is kind -> how many, also those of which none was found."""
    asked = [*(kind for kind in KINDS if kind in spec.kinds), *sorted(spec.patterns)]
    by_pattern = {*FOUND_BY_PATTERN, *spec.patterns} if spec.engine == "own" else set(spec.patterns)
    possible = by_pattern | {kind for engine in engines for kind in engine.kinds}
    return {
        "masked": {kind: masking.found[kind] for kind in sorted(asked)},
        "rows_by_kind": {kind: masking.rows_by_kind[kind] for kind in sorted(asked)},
        "rows": masking.num_rows,
        "rows_read": data.num_rows,
        "rows_dropped": num_dropped,
        "action": spec.action,
        "actions": {kind: spec.action_of(kind) for kind in sorted(asked)},
        "columns": masking.columns,
        "columns_left": _left(data, masking),
        "numbers_left": dict(sorted(masking.numbers.items())),
        "answers_changed": masking.num_answers,
        "examples": [{"kind": kind, "text": text} for kind in sorted(masking.examples) for text in masking.examples[kind]],
        "engines": ["own" if spec.engine == "own" else "presidio", *spec.also, *(["ner"] if _has_model(engines, spec) else [])],
        "regions": list(spec.regions),
        "refused": [],
        "missed": [kind for kind in asked if kind not in possible],
        "not_asked": [kind for kind in KINDS if kind not in spec.kinds],
        "warnings": _warnings(masking, [kind for kind in NAMED if kind not in possible]),
    }  # fmt: skip


def _has_model(engines: Sequence[Engine], spec: "DeidentifySpec") -> bool:
    return len(engines) > (spec.engine == "presidio" or bool(spec.also))


def _left(data: Dataset, masking: Masking) -> dict[str, str]:
    """Columns that nobody looked at, and why."""
    left = {}
    for name, kind in data.facts["columns"].items():
        if name.startswith("_") or name in masking.columns:
            continue
        if name == masking.form.label or name in {"tags", "label"}:
            left[name] = "it is what is predicted"
        elif "binary" in kind:
            left[name] = "pictures and recordings are not looked into"
        elif re.search("string|list", kind):
            left[name] = "not among `columns`" if name not in masking.form.columns.names else "it describes no person"
        else:
            left[name] = "it holds no text"
    return left


def _warnings(masking: Masking, unnamed: list[Kind]) -> list[dict[str, str]]:
    found = []
    if unnamed:
        names = {"person": "names of people", "place": "places", "organisation": "organisations"}
        lacking = ", ".join(names[kind] for kind in unnamed)
        found.append(warning("names_not_found", f"{lacking}: not found without a model; give one with ner"))
    for column, num in sorted(masking.numbers.items()):
        message = f"{column}: {num} of its numbers sampled look personal; collect it as text, or leave it out"
        found.append(warning("numbers_not_masked", message))
    return found
