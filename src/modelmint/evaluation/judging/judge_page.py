"""The page of `judge`: does the judge rate as people do, and what it says of the answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Range, Said
from modelmint.core.pages import Headline, Section, examples, figure, page, table


def judge_page(facts: Mapping[str, Any], *, name: str) -> str:
    """``report.html`` of the facts of a judgement; `name` is that of the answers."""
    found, metrics = facts["agreement"], facts.get("metrics", {})
    kappa = f"{found['kappa']['value']:.2f}" if found else "–"
    judged = f"{facts['num_judged']:,} answers were then judged." if metrics else "So nothing was judged."
    headlines = [
        Headline(name="agreement with people", value=kappa, note=f"weighted kappa, {facts['num_rated']:,} rows")
    ]
    if metrics:
        low, high = facts["scale"]
        headlines += [
            Headline(
                name="mean rating",
                value=f"{metrics['rating']['value']:.2f}",
                note=f"{low} to {high}, as the judge gave it",
            ),
            Headline(
                name="corrected",
                value=f"{metrics['corrected_rating']['value']:.2f}",
                note="by the judge's errors on what people rated",
            ),
        ]
    return page(
        title="Judge",
        about=" · ".join([facts["judge"]["model"], name]),
        lead=f"{facts['judge']['model']} rated {facts['num_rated']:,} answers that people had rated: weighted kappa {kappa}. {judged}",
        headlines=headlines,
        sections=[*_agreement(facts), *_answers(facts), Section(heading="What the judge was told", parts=[table(["a good answer"], [[facts["rubric"]]])])],
        refused=facts["refused"],
    )  # fmt: skip


def _agreement(facts: Mapping[str, Any]) -> list[Section]:
    found = facts["agreement"]
    if not found:
        return []
    ranges = [
        Range(
            label=name,
            value=found[key]["value"],
            low=found[key]["low"],
            high=found[key]["high"],
            written=f"{found[key]['value']:.2f}",
        )
        for key, name in (("kappa", "weighted kappa"), ("same", "the same rating"))
    ]
    drawn = charts.intervals(
        Said(
            name="agreement",
            title="Agreement",
            about="Weighted kappa and the share of equal ratings, with 95 % intervals",
        ),
        ranges,
    )
    rows = [[one["answers"], f"{one['num_rows']:,}", f"{one['bias']:+.2f}"] for one in facts["by_length"]]
    apart = [
        [one["question"], one["answer"], str(one["people"]), str(one["judge"]), one["why"]]
        for one in facts["furthest_apart"]
    ]
    return [
        Section(
            heading="Agreement",
            note=f"The judge rates {found['bias']['value']:+.2f} higher than people ({found['bias']['low']:+.2f} to "
            f"{found['bias']['high']:+.2f}).",
            parts=[
                figure(drawn, "Agreement with people"),
                _crossed(facts["pairs"], facts["scale"]),
                table(["answers", "rows", "the judge rates higher by"], rows, caption="By the length of the answer"),
            ],
        ),
        *(
            [Section(heading="Furthest apart", parts=[examples(["question", "answer", "people", "judge", "the judge's reason"], apart)])]
            if apart
            else []
        ),
    ]  # fmt: skip


def _crossed(pairs: Sequence[Sequence[int]], scale: Sequence[int]) -> Markup:
    """People's ratings down, the judge's across; a long scale is left out."""
    places = range(scale[0], scale[1] + 1)
    if len(places) > 11:
        return Markup("")
    counts = {(one, other): count for one, other, count in pairs}
    rows = [[f"people: {one}", *(counts.get((one, other), 0) or "" for other in places)] for one in places]
    return table(
        ["", *(f"judge: {other}" for other in places)], rows, caption="How often each pair of ratings was given"
    )


def _answers(facts: Mapping[str, Any]) -> list[Section]:
    if not facts.get("metrics"):
        return []
    total = max(1, facts["num_judged"])
    rows = [[str(rating), f"{count:,}", f"{count / total:.1%}"] for rating, count in facts["ratings"]]
    worst = [[one["question"], one["answer"], str(one["rating"]), one["why"]] for one in facts["worst"]]
    corrected = facts["metrics"]["corrected_rating"]
    return [
        Section(
            heading="The answers",
            note=f"People would give {corrected['value']:.2f} ({corrected['low']:.2f} to {corrected['high']:.2f}), if the "
            "answers that they rated are like these (prediction-powered inference).",
            parts=[table(["rating", "answers", "share"], rows)],
        ),
        Section(heading="The lowest", parts=[examples(["question", "answer", "rating", "the judge's reason"], worst)]),
    ]
