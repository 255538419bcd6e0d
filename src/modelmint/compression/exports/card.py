"""The README of an export: a model card with Hugging Face front matter, from the catalog and from nothing else.

It states facts alone, no times, so that equal models have equal cards; the card of a run has what was timed too.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelmint.compression.exports.licences import origins, plain
from modelmint.compression.exports.source import Source, Written
from modelmint.core.formats import short, size
from modelmint.core.types import JSON

PIPELINES = {
    "text-classification": "text-classification",
    "text-pair-classification": "text-classification",
    "multi-label-classification": "text-classification",
    "text-regression": "text-classification",
    "token-classification": "token-classification",
    "question-answering": "question-answering",
    "image-classification": "image-classification",
    "audio-classification": "audio-classification",
    "text-generation": "text-generation",
    "chat": "text-generation",
    "preference": "text-generation",
    "masked-language-model": "fill-mask",
    "text2text-generation": "translation",
    "text-embedding": "sentence-similarity",
    "text-reranking": "text-ranking",
}
"""Our task -> the hub's word for it."""
HUB_NAMES = {"starter": "sentence-transformers/all-MiniLM-L6-v2"}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
MANY_LABELS = 40


def card(source: Source, folder: Path, form: str, written: Written, licence_texts: Sequence[str]) -> str:
    """The text of ``README.md``; what came from the data is escaped."""
    parts = [
        _front(source, form, written.licences),
        f"# {plain(short(source.model.name))} for {source.task}\n",
        f"{_what(source)}\n",
        f"## How to use it\n\n{written.usage.strip()}\n",
        f"## 用法\n\n{written.usage_zh.strip()}\n" if written.usage_zh else "",
        _figures(source),
        _gates(source),
        _data(source),
        _licences(source, licence_texts, written.licences),
        _limits(source, written),
        _files(folder),
    ]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def hub_base(source: Source) -> str | None:
    """The base by its name on the Hugging Face hub; None where it has none that is known."""
    name = str(source.about.get("base") or "").removeprefix("hf://")
    name = HUB_NAMES.get(name, name)
    return name if _HUB_NAME.fullmatch(name) else None


def _front(source: Source, form: str, more: Sequence[str]) -> str:
    import yaml

    licences = sorted({str(one) for one in (*source.model.manifest["licences"], *more)})
    one = licences[0].lower() if len(licences) == 1 and _SPDX.fullmatch(licences[0]) else "other"
    told: JSON = {"license": one if one != "unknown" else "other"}
    if told["license"] == "other" and licences:
        told["license_name"] = "-and-".join(re.sub(r"[^a-z0-9.]+", "-", each.lower()).strip("-") for each in licences)
    told |= {"language": list(source.about.get("languages") or ())} if source.about.get("languages") else {}
    told |= {"base_model": hub_base(source)} if hub_base(source) else {}
    told |= {"pipeline_tag": PIPELINES[source.task]} if source.task in PIPELINES else {}
    library = {"adapter": "peft", "onnx": "onnx", "edge": "onnx", "openvino": "openvino", "gguf": "gguf"}.get(form)
    told |= {"library_name": library} if library else {}
    told["tags"] = [source.task, form, "modelmint"]
    return f"---\n{yaml.safe_dump(told, allow_unicode=True, sort_keys=False).strip()}\n---\n"


def _what(source: Source) -> str:
    facts, labels = source.about, [str(one) for one in source.about.get("labels") or source.about.get("tags") or ()]
    lines = [f"It was trained for {source.task}, from the base {plain(facts.get('base'))}" + _by(source) + "."]
    if labels:
        shown = ", ".join(plain(short(one)) for one in labels[:MANY_LABELS])
        lines.append(f"It knows {len(labels):,} labels: {shown}{', …' if len(labels) > MANY_LABELS else ''}.")
    if facts.get("max_tokens"):
        lines.append(f"It reads {int(facts['max_tokens']):,} tokens of a row; what is longer is cut.")
    return "\n".join(lines)


def _by(source: Source) -> str:
    return f" by the method {source.method}" if source.method else ""


def _figures(source: Source) -> str:
    facts = source.fact("evaluation")
    metrics: Mapping[str, Any] = facts.get("metrics") or {}
    if not metrics:
        return "## Figures\n\nNo evaluation of this model is on record.\n"
    beside: Mapping[str, Any] = (facts.get("baseline") or {}).get("metrics") or {}
    rows = [
        (plain(name), _figure(one), _figure(beside.get(name)), f"{one['n']:,}" if one.get("n") else "")
        for name, one in metrics.items()
    ]
    head = ("figure", "model", "cheap baseline", "rows")
    keep = [0, 1, *([2] if beside else []), 3]
    table = _table([head[at] for at in keep], [[row[at] for at in keep] for row in rows])
    return f"## Figures\n\nOn {int(facts.get('num_rows', 0)):,} held-out rows, with intervals of 95 %.\n\n{table}\n"


def _figure(one: Any) -> str:
    if not isinstance(one, Mapping) or one.get("value") is None:
        return ""
    low, high = one.get("low"), one.get("high")
    span = f" ({low:.4g} to {high:.4g})" if low is not None and high is not None else ""
    return f"{float(one['value']):.4g}{span}"


def _gates(source: Source) -> str:
    told: list[list[str]] = []
    for name in ("evaluation", "parity"):
        facts = source.fact(name)
        for gate in facts.get("gates") or ():
            verdict = "passed" if gate.get("passed") else "refused"
            told.append([name, plain(gate.get("name")), plain(gate.get("allowed")), plain(gate.get("value")), verdict])
        told += [[name, "", "", plain(reason), "refused"] for reason in _other_refusals(facts)]
    if not told:
        return "## Gates\n\nNo gate was set.\n"
    return f"## Gates\n\n{_table(['report', 'gate', 'allowed', 'found', 'verdict'], told)}\n"


def _other_refusals(facts: JSON) -> Iterator[str]:
    by_gates = {str(gate.get("reason")) for gate in facts.get("gates") or ()}
    return (str(reason) for reason in facts.get("refused") or () if str(reason) not in by_gates)


def _data(source: Source) -> str:
    training = source.fact("training")
    lines = ["## Data", ""]
    if training.get("num_rows"):
        held = training.get("num_validation_rows") or 0
        lines.append(
            f"It learned from {int(training['num_rows']):,} rows, with {int(held):,} more to choose the epoch by.\n"
        )
    rows = [[row[1], row[2], row[4]] for row in origins(source) if row[0] != "base"]
    lines.append(_table(["source", "licence", "used for"], rows) if rows else "No source of data is on record.")
    return "\n".join(lines) + "\n"


def _licences(source: Source, texts: Sequence[str], more: Sequence[str]) -> str:
    bases = [f"{row[1]} ({row[2]})" for row in origins(source) if row[0] == "base"]
    lines = [
        f"Base: {', '.join(bases) or 'none'}. May it be sold? **{source.verdict['may_be_sold']}**: "
        f"{plain(source.verdict['why'])}. All of it in [LICENCES.md](LICENCES.md)"
        + (
            f" and in the files that came with the base, {', '.join(f'[{one}]({one})' for one in texts)}."
            if texts
            else "."
        )
    ]
    if others := sorted(set(more) - {str(one) for one in source.model.manifest["licences"]}):
        lines.append(f"The variant was made from another base too, under {plain(', '.join(others))}.")
    return "## Base and licences\n\n" + "\n".join(lines) + "\n"


def _limits(source: Source, written: Written) -> str:
    said = [str(one) for one in source.fact("card").get("limits") or ()]
    warned = [str(one.get("message")) for one in source.fact("evaluation").get("warnings") or ()]
    always = "What was measured holds for rows like those it was measured on; on others, measure again."
    return "## Limits\n\n" + "\n".join(f"- {plain(one)}" for one in [*written.notes, *(said or warned), always]) + "\n"


def _files(folder: Path) -> str:
    rows = [
        [f"`{path.relative_to(folder).as_posix()}`", size(path.stat().st_size)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    told = "\nCheck them with `sha256sum -c SHA256SUMS`.\n"
    return f"## Files\n\n{_table(['file', 'size'], rows)}\n{told}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read_json(path: Path) -> JSON:
    """A JSON object of a file; empty where it is not there."""
    value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
