"""The page of an evaluation: gates, figures with their intervals, slices the worst first, labels, calibration, errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.core import tables
from modelmint.core.charts import Said
from modelmint.core.figures import interval, is_lower_better, is_share, title_of, written
from modelmint.core.pages import Headline, Section, page, pair, table
from modelmint.core.types import JSON, Dataset
from modelmint.evaluation.answers import HEAVY
from modelmint.evaluation.pages.drawings import Line, Mark, forest
from modelmint.evaluation.pages.page_labels import (
    calibration_section,
    confusions_section,
    errors_section,
    labels_section,
    shown_section,
)
from modelmint.evaluation.pages.page_slices import fairness_sections, slices_section
from modelmint.evaluation.pages.page_words import low, p_of, sentence

MAX_HEADLINES = 4
MAX_FIGURES = 24


def evaluation_page(
    facts: Mapping[str, Any], measured: Mapping[str, Any], *, name: str, media: Mapping[str, bytes] | None = None
) -> str:
    """``report.html`` of the facts and the measured figures of an evaluation; `name` is that of the test set.

    Args:
        media: `_row` -> image or recording of the errors that are shown.
    """
    sections = [
        _gates(facts),
        _figures(facts),
        _beside(facts, measured),
        slices_section(facts),
        *fairness_sections(facts),
        confusions_section(facts),
        labels_section(facts),
        calibration_section(facts),
        errors_section(facts, media or {}),
        shown_section(facts),
    ]
    return page(
        title="Evaluation",
        about=f"{facts['task']} · {name}",
        lead=_lead(facts),
        headlines=_headlines(facts, measured),
        sections=[one for one in sections if one],
        warnings=[sentence(one["message"]) for one in facts["warnings"]],
        refused=[sentence(one) for one in facts["refused"]],
    )


def pictures(test: Dataset, errors: Sequence[JSON]) -> dict[str, bytes]:
    """`_row` -> the image or recording of rows that are shown; empty where the rows have none."""
    column = next((name for name in HEAVY if name in test.facts.get("columns", {})), None)
    wanted = {one["_row"] for one in errors}
    if column is None or not wanted:
        return {}
    found: dict[str, bytes] = {}
    for batch in tables.batches(test, ["_row", column]):
        for at, row in enumerate(batch.column("_row").to_pylist()):
            if row in wanted:
                found[row] = batch.column(column)[at].as_py() or b""
    return found


def _main(facts: Mapping[str, Any]) -> str:
    return str(facts["figure"])


def _lead(facts: Mapping[str, Any]) -> str:
    main = _main(facts)
    one = facts["metrics"][main]
    said = f"On {facts['num_rows']:,} rows that the model has not seen its {low(title_of(main))} is {written(main, one['value'])}"  # fmt: skip
    weak = [slice_ for slice_ in (facts["slices"] or {}).get("judged", ()) if slice_["is_worse"]]
    if facts["slices"] is None or not facts["slices"]["judged"]:
        return f"{said}."
    if not weak:
        return f"{said}; no slice of them is clearly worse than the rest."
    first = weak[0]
    named = f"{first['column']} {first['slice']} ({written(facts['slices']['figure'], first['figure']['value'])})"
    more = f" and on {len(weak) - 1} other slices" if len(weak) > 2 else " and on one other slice" if len(weak) == 2 else ""  # fmt: skip
    return f"{said}. It is clearly worse on {named}{more} than on the rest."


def _headlines(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> list[Headline]:
    shown = [name for name in facts["metrics"] if name != "micro_f1"][:MAX_HEADLINES]
    found = []
    for name in shown:
        one = facts["metrics"][name]
        found.append(Headline(name=title_of(name), value=written(name, one["value"]), note=f"95%: {interval(name, one)}"))  # fmt: skip
    rate = f"{measured['examples_per_s']:,.0f} rows a second here" if "examples_per_s" in measured else ""
    return [*found, Headline(name="test rows", value=f"{facts['num_rows']:,}", note=rate)]


def _gates(facts: Mapping[str, Any]) -> Section | None:
    gates = facts["gates"]
    if not gates:
        return None
    verdict = {True: Markup('<span class="good">✓ passed</span>'), False: Markup('<span class="bad">✕ refused</span>')}
    rows = [
        [gate["name"], gate["allowed"], "–" if gate["value"] is None else f"{gate['value']:.4g}", verdict[gate["passed"]]]
        for gate in gates
    ]  # fmt: skip
    failed = sum(not gate["passed"] for gate in gates)
    note = f"{failed} of {len(gates)} refuse the model." if failed else f"All {len(gates)} pass." if len(gates) > 1 else "It passes."  # fmt: skip
    return Section(heading="Gates", note=note, parts=[table(["gate", "must be", "is", ""], rows)])


def _figures(facts: Mapping[str, Any]) -> Section:
    names = list(facts["metrics"])[:MAX_FIGURES]
    series = [("this model", "accent", facts["metrics"])]
    for key, word, kind in (("baseline", "baseline", "base"), ("live", "live model", "deep")):
        if facts.get(key):
            series.append((f"{word} ({facts[key]['name']})", kind, facts[key]["metrics"]))
    names = [name for name in names if name != "micro_f1" or "accuracy" not in names]  # the same, by another name
    shares = [name for name in names if is_share(name) and not is_lower_better(name)]
    drawn: list[Markup] = []
    if shares:
        lines = [_line(name, series) for name in shares]
        about = "; ".join(f"{one.label}: {one.marks[0].written}" for one in lines)
        drawn.append(_drawn(forest(Said(name="shares", title="Figures with their intervals", about=about), lines, is_share=True)))  # fmt: skip
    for name in [one for one in names if one not in shares]:
        line = _line(name, series)
        drawn.append(_drawn(forest(Said(name=f"figure-{name}", title=title_of(name), about=line.marks[0].written), [line], is_share=is_share(name))))  # fmt: skip
    note = "The bar is the 95% interval: where the figure would lie on other rows like these."
    legend = _legend([(word, kind) for word, kind, _ in series]) if len(series) > 1 else Markup("")
    rest = drawn[1:] if shares else drawn
    parts = [legend, *(drawn[:1] if shares else ())]
    parts += [pair(*rest[at : at + 2]) for at in range(0, len(rest), 2)]
    return Section(heading="Figures", note=note, parts=parts)


def _drawn(drawing: Markup) -> Markup:
    return Markup("<figure>{}</figure>").format(drawing)


def _line(name: str, series: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Line:
    marks = [
        Mark(
            value=one["value"],
            low=one["low"],
            high=one["high"],
            written=f"{written(name, one['value'])} ({interval(name, one)})",
            kind=kind,
        )
        for _, kind, known in series
        if (one := known.get(name)) is not None
    ]
    lower = " (lower is better)" if is_lower_better(name) else ""
    return Line(label=f"{title_of(name)}{lower}", marks=marks)


def _beside(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> Section | None:
    parts: list[Markup] = []
    baseline, live = facts.get("baseline"), facts.get("live")
    if baseline:
        says = (measured.get("baseline") or {}).get("says")
        if says:
            parts.append(Markup("<p>{}.</p>").format(sentence(says).rstrip(".")))
        p_values = {"accuracy": baseline["p_value"]} if "p_value" in baseline and "accuracy" in baseline["difference"] else {}  # fmt: skip
        parts.append(
            _differences(
                baseline["difference"],
                p_values,
                dict.fromkeys(p_values, "McNemar's exact test"),
                caption=f"less the baseline: {baseline['name']}",
            )
        )
    if live:
        tests = live["tests"]
        parts.append(
            _differences(
                live["difference"],
                {name: one["p_value"] for name, one in tests.items()},
                {name: one["test"] for name, one in tests.items()},
                caption=f"less the live model: {live['name']}",
            )
        )
    note = "On the same rows, so that what is hard is hard for both."
    return Section(heading="Beside the baseline" if not live else "Beside the baseline and the live model" if baseline else "Beside the live model", note=note, parts=parts) if parts else None  # fmt: skip


def _differences(
    found: Mapping[str, Any], p_values: Mapping[str, float], tests: Mapping[str, str], *, caption: str
) -> Markup:
    rows = []
    for name, one in found.items():
        sign = -1 if is_lower_better(name) else 1
        low_end, high_end = sorted((sign * one["low"], sign * one["high"]))
        word = "better" if low_end > 0 else "worse" if high_end < 0 else "may be chance"
        kind = {"better": "good", "worse": "bad"}.get(word, "")
        scale, unit, form = (100, " points", "+.1f") if is_share(name) else (1, "", "+.4g")
        ends = f"{scale * one['low']:{form}} to {scale * one['high']:{form}}"
        p_value = [_whole(p_of(p_values[name])) if name in p_values else ""] if p_values else []
        rows.append([title_of(name), _whole(f"{scale * one['value']:{form}}{unit}"), _whole(ends), *p_value, _whole(word, kind)])  # fmt: skip
    headers = ["figure", "difference", "95% interval", *(["p"] if p_values else []), ""]
    ways: dict[str, list[str]] = {}
    for name, test in tests.items():
        ways.setdefault(test, []).append(title_of(name))
    said = "; ".join(f"{test} for {', '.join(names)}" for test, names in ways.items())
    by = Markup('<p class="note">p: {}.</p>').format(said) if said else Markup("")
    return table(headers, rows, caption=f"This model {caption}") + by


def _whole(text: str, kind: str = "") -> Markup:
    """A cell that is not broken."""
    return Markup('<span class="verdict {}">{}</span>').format(kind, text)


def _legend(names: Sequence[tuple[str, str]]) -> Markup:
    keys = Markup("").join(
        Markup('<span class="key"><i class="{}"></i>{}</span>').format(kind, word) for word, kind in names
    )
    return Markup('<p class="legend">{}</p>').format(keys)
