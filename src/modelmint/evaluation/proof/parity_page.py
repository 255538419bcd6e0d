"""The page of `parity`: what differed first, then how far apart the answers are, and on which texts."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said
from modelmint.core.formats import percent
from modelmint.core.pages import Headline, Section, Share, examples, figure, page, table

NUM_BINS = 20


def parity_page(facts: Mapping[str, Any], measured: Mapping[str, Any], *, name: str, form: str) -> str:
    """``report.html`` of the facts and the measured figures of a parity report; `name` is that of the rows."""
    odd, refused = facts["adversarial"], facts["refused"]
    verdict = "is not" if refused else "is"
    return page(
        title="Parity",
        about=" · ".join(part for part in (form, name) if part),
        lead=f"What is served {verdict} what was trained: {facts['num_rows']:,} rows and {odd['num_texts']:,} odd inputs went "
        f"through the real endpoint and were held against {facts['held_against']}.",
        headlines=[
            _same(facts),
            Headline(name="on odd inputs", value=percent(odd["agreement"], 2) if odd["num_texts"] else "–", note=f"of {odd['num_texts']:,}"),
            Headline(name="drift", value=f"{facts['drift']['mean']:.4f}", note=f"mean; {facts['drift']['max']:.3f} at most"),
            Headline(name="without an answer", value=f"{facts['num_failed_rows']:,}", note="rows"),
        ],
        sections=[
            one
            for one in (_different(facts), _gates(facts), _disagreements(facts), _kinds(odd), _drift(measured), _how(facts, measured))
            if one is not None
        ],
        refused=refused,
        warnings=[f"{note[0].upper()}{note[1:]}." for note in facts["notes"]],
    )  # fmt: skip


def _same(facts: Mapping[str, Any]) -> Headline:
    """Of chats it is tokens that are counted."""
    share, said = percent(facts["agreement"], 2), facts.get("answers")
    if said is None:
        return Headline(name="same answer", value=share, note=f"of {facts['num_rows']:,} rows")
    return Headline(
        name="same token", value=share, note=f"of {said['num_tokens']:,}; {percent(said['same'], 1)} of answers"
    )


def _different(facts: Mapping[str, Any]) -> Section | None:
    """The texts that are read otherwise, beside the sentences on top of the page."""
    exact = facts["exact"]
    ids = exact["token_ids"]
    if not exact["differences"]:
        return None
    parts: list[Markup] = []
    if ids["examples"]:
        rows = [[_visible(one["text"]), one["trained"], one["candidate"]] for one in ids["examples"]]
        parts.append(examples(["text", "as the trained model reads it", "as the candidate reads it"], rows))
    kinds = ", ".join(f"{kind} ({count})" for kind, count in ids["kinds_differing"].items())
    read = f" Odd inputs with other token ids: {kinds}." if kinds else ""
    return Section(
        heading="What differs",
        note=f"{len(exact['differences'])} differences, named above. Compared exactly: {', '.join(exact['compared'])}.{read}",
        parts=parts,
    )


def _gates(facts: Mapping[str, Any]) -> Section:
    rows = [
        [
            gate["name"].replace("_", " "),
            gate["allowed"].replace(">=", "≥").replace("<=", "≤"),
            "not computed" if gate["value"] is None else f"{gate['value']:.4g}",
            "passed" if gate["passed"] else Markup('<span class="bad">refused</span>'),
        ]
        for gate in sorted(facts["gates"], key=lambda gate: gate["passed"])
    ]
    return Section(heading="Gates", parts=[table(["gate", "must be", "is", ""], rows)])


def _disagreements(facts: Mapping[str, Any]) -> Section | None:
    rows = [
        [one.get("kind", "a row"), one["text"], _said(one["trained"]), _said(one["served"])]
        for one in (*facts["disagreements"][:10], *facts["adversarial"]["disagreements"][:10])
    ]
    if not rows:
        return None
    return Section(
        heading="Other answers",
        note="Those whose probabilities moved most first; rows of the test set, then odd inputs.",
        parts=[examples(["what", "text", "trained", "served"], [[_visible(cell) for cell in row] for row in rows])],
    )


def _kinds(odd: Mapping[str, Any]) -> Section | None:
    if not odd["kinds"]:
        return None
    rows = [
        [
            one["kind"],
            Share(value=1 - one["num_differing"] / one["num_texts"], kind="warn" if one["num_differing"] else "accent"),
            f"{one['num_texts'] - one['num_differing']} of {one['num_texts']}",
            one["mean"],
            one["max"],
        ]
        for one in odd["kinds"]
    ]
    must = odd["num_refused_as_must"]
    long = f"A text that is too long for the API was {'refused, as it must be' if must else 'not refused'}."
    note = long if must <= 1 else f"{must} that nobody can answer, one of them too long, were refused, as they must be."
    headers = ["kind of odd input", "", "same answer", "mean drift", "largest"]
    return Section(heading="Odd inputs", note=note, parts=[table(headers, rows)])


def _drift(measured: Mapping[str, Any]) -> Section | None:
    drift = measured["drift"]
    if len(drift) < 2 or max(drift) <= 0:
        return None
    points = [(float(at + 1), value) for at, value in enumerate(drift)]
    said = Said(name="drift", title="Drift by row", about=f"the largest {drift[0]:.3g}, the last shown {drift[-1]:.3g}")
    note = f"How far the most moved probability of a row moved, for the {len(drift)} rows where it moved most."
    return Section(heading="Drift", parts=[figure(charts.curves(said, [("accent", points)]), "Largest first", note)])


def _how(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> Section:
    neighbours = facts["neighbours"]
    rows: list[Sequence[Any]] = [
        ["held against", facts["held_against"]],
        ["compared exactly", ", ".join(facts["exact"]["compared"])],
        ["alone and in company", f"{neighbours['num_texts']} texts, {neighbours['max_drift']:.4f} apart at most"],
        ["requests", f"{measured['requests']:,}, p50 {measured['p50_ms']:.1f} ms, p95 {measured['p95_ms']:.1f} ms"],
        ["rows a second", f"{measured['rows_per_s']:,.0f}"],
    ]  # fmt: skip
    return Section(heading="How it was compared", parts=[table(["", ""], rows)])


def _said(name: Any) -> str:
    if name is None:
        return "no answer"
    return ", ".join(name) if isinstance(name, list) else f"{name:.4g}" if isinstance(name, float) else str(name)


def _visible(text: str) -> str:
    """With the characters that a page would hide written out."""
    return (
        "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text) or "(empty)"
    )
