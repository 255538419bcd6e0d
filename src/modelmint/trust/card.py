"""The model card: a README in Hugging Face form, with front matter that its hub and `huggingface_hub` can read."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelmint import __version__
from modelmint.core.figures import METRICS, written
from modelmint.core.formats import milliseconds, percent, seconds, short, size
from modelmint.trust import telling
from modelmint.trust.figures import Figures, Metric, VariantFigures, interval
from modelmint.trust.tasks import ROWS, TASKS, Call
from modelmint.trust.words import Words

if TYPE_CHECKING:
    from modelmint.trust.report import ReportSpec

HUB_LICENCES = {
    "afl-3.0",
    "agpl-3.0",
    "apache-2.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsl-1.0",
    "cc",
    "cc-by-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "cdla-permissive-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "gpl-2.0",
    "gpl-3.0",
    "isc",
    "lgpl-2.1",
    "lgpl-3.0",
    "mit",
    "mpl-2.0",
    "odbl",
    "pddl",
    "unlicense",
    "wtfpl",
    "zlib",
}  # the hub's words for licences: SPDX in small letters
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
HUB_BASES = {"starter": "sentence-transformers/all-MiniLM-L6-v2"}  # the name under which the hub has it
HUB_METRICS = {
    "macro_f1": "f1",
    "micro_f1": "f1",
    "auc": "roc_auc",
    "rouge_1": "rouge",
    "rouge_2": "rouge",
    "rouge_l": "rouge",
}  # our name -> the hub's, where they differ
NUM_CLASSES = 400

Row = Sequence[str]


def card(spec: "ReportSpec", title: str, figures: Figures, limits: Sequence[str], words: Words) -> str:
    """The text of ``README.md``. Everything that came from the data is escaped for Markdown."""
    quality = figures.quality
    main, task = quality.main, TASKS.get(figures.task, ROWS)
    text = (
        telling.environment("md", words)
        .get_template("card.md")
        .render(
            front=_front(spec, title, figures),
            title=title,
            spec=spec,
            figures=figures,
            limits=limits,
            table=_table,
            lead=telling.lead(figures, words),
            call=task.call,
            body=_body(spec, task.call) if task.call else "",
            kept=telling.kept(figures, words),
            parts=_parts(figures, words),
            reasons=[(words.reason(reason), f"{count:,}") for reason, count in figures.rows.reasons.items()],
            masked=telling.masked(figures, words),
            evaluation_note=words("evaluation_note", n=f"{main.n:,}") if main and main.n else "",
            metric_head=_metric_head(figures, words),
            metrics=_metrics(figures, words),
            gates=telling.gates(figures, words),
            classes=[
                (
                    row.label,
                    f"{row.f1:.2f}",
                    f"{row.precision:.2f}",
                    f"{row.recall:.2f}",
                    f"{row.support:,}",
                    f"{row.num_train:,}",
                )
                for row in quality.classes[:NUM_CLASSES]
            ],
            confusions=[(one["truth"], one["predicted"], f"{one['count']:,}") for one in quality.confusions[:10]],
            variant_head=_variant_head(spec, figures, words),
            variants=[_variant(one, figures, words, show_cost=spec.show_cost) for one in figures.variants],
            parity=telling.parity(figures, words),
            environment=_environment(figures, words),
            licence=telling.licence(figures, words),
            made_with=words("made_with", version=__version__),
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def _body(spec: "ReportSpec", call: Call) -> str:
    """The JSON of a request; it is Python too."""
    endpoint = (spec.deploy or {}).get("endpoint", "ENDPOINT")
    return json.dumps({"model": endpoint, **call.body}, ensure_ascii=False)


def _front(spec: "ReportSpec", title: str, figures: Figures) -> str:
    """YAML front matter: only what is known."""
    from huggingface_hub import EvalResult, ModelCardData

    task, metrics = TASKS.get(figures.task, ROWS).hub, figures.quality.metrics
    shown = [name for name in figures.quality.shown if name in METRICS]
    results = [
        EvalResult(
            task_type=task or figures.task,
            dataset_type=spec.dataset or "private",
            dataset_name=spec.dataset or "held-out test set",
            dataset_split="test",
            metric_type=HUB_METRICS.get(name, name),
            metric_name=name,
            metric_value=round(metrics[name].value, 6),
            metric_args={"average": "macro"} if name == "macro_f1" else None,
        )
        for name in shown
    ]
    known: dict[str, Any] = {
        **_licence(figures.licences),
        "language": list(figures.languages) or None,
        "datasets": [spec.dataset] if spec.dataset else None,
    }
    base = HUB_BASES.get(figures.base or "", figures.base)
    if base and HUB_NAME.fullmatch(base):
        known["base_model"] = base
    data = ModelCardData(
        pipeline_tag=task,
        tags=[figures.task, "modelmint"],
        model_name=title,
        metrics=list(dict.fromkeys(HUB_METRICS.get(name, name) for name in shown)) or None,
        eval_results=results or None,
        **known,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _licence(licences: Sequence[str]) -> dict[str, str]:
    """One licence by the hub's word; several, or one that the hub does not know, as `other` with its name."""
    if not licences:
        return {}
    if len(licences) == 1 and licences[0].lower() in HUB_LICENCES:
        return {"license": licences[0].lower()}
    return {
        "license": "other",
        "license_name": "-and-".join(re.sub(r"[^a-z0-9.]+", "-", one.lower()).strip("-") for one in licences),
    }


def _parts(figures: Figures, words: Words) -> list[Row]:
    rows = figures.rows
    counts = (
        ("train", rows.num_train),
        ("validation", rows.num_validation),
        ("test", rows.num_test),
        ("put_aside", sum(rows.reasons.values())),
    )
    return [(words(name), f"{count:,}") for name, count in counts if count]


def _metric_head(figures: Figures, words: Words) -> list[tuple[str, str]]:
    quality = figures.quality
    head = [(words("metric"), ""), (words("model"), "r")]
    if quality.baseline:
        head.append((telling.baseline_name(figures, words), "r"))
    if quality.live:
        head.append((words("live"), "r"))
    return head


def _metrics(figures: Figures, words: Words) -> list[Row]:
    quality = figures.quality
    beside = [known for known in (quality.metrics, quality.baseline, quality.live) if known]
    return [
        (words.figure(name), *(_told(name, known[name]) if name in known else "" for known in beside))
        for name in quality.shown
    ]


def _told(name: str, metric: Metric) -> str:
    limits = interval(name, metric)
    return f"{written(name, metric.value)} ({limits})" if limits else written(name, metric.value)


def _variant_head(spec: "ReportSpec", figures: Figures, words: Words) -> list[tuple[str, str]]:
    names = {"worth": words.figure(figures.quality.figure)}
    head = [(key, align) for key, align in _VARIANT_HEAD if spec.show_cost or key != "cost_short"]
    return [(names.get(key) or words(key), align) for key, align in head]


_VARIANT_HEAD = (
    ("variant", ""),
    ("size", "r"),
    ("worth", "r"),
    ("agreement", "r"),
    ("p50", "r"),
    ("throughput", "r"),
    ("cost_short", "r"),
)


def _variant(one: VariantFigures, figures: Figures, words: Words, *, show_cost: bool) -> Row:
    cells = (
        f"{one.name} ✓ {words('chosen')}" if one.chosen else telling.form(one, words),
        size(one.size_bytes) if one.size_bytes is not None else "",
        written(figures.quality.figure, one.worth.value) if one.worth else "",
        percent(one.agreement) if one.agreement is not None else "",
        milliseconds(one.p50_ms) if one.p50_ms is not None else "",
        f"{one.throughput_per_s:,.0f}" if one.throughput_per_s is not None else "",
    )
    return (*cells, one.cost_per_million or "") if show_cost else cells


def _environment(figures: Figures, words: Words) -> str:
    took = figures.training
    if took.get("seconds") is None:
        return ""
    if took.get("memory_bytes") is None:
        return words("environment_seconds", seconds=seconds(took["seconds"]))
    return words("environment_note", seconds=seconds(took["seconds"]), memory=size(took["memory_bytes"]))


def _table(head: Sequence[tuple[str, str]], rows: Sequence[Row]) -> str:
    """A Markdown table; a column with "r" is set to the right. Cells are escaped."""
    lines = [
        [name for name, _ in head],
        ["---:" if align else "---" for _, align in head],
        *([telling.markdown(short(cell, 80)) if cell else "" for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
