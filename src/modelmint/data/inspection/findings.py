"""What preflight makes of its facts: the figures that gates are held against, the licence verdict, why it refuses.

A fact that was not looked for is an empty mapping; its figure then says why there is none.
"""

from collections.abc import Sequence

from modelmint.core.forms import FORMS
from modelmint.core.licences import Judgement, judge, together
from modelmint.core.money import money
from modelmint.core.types import JSON
from modelmint.data.inspection.class_counts import HAS_CLASSES
from modelmint.data.inspection.gates import Figure

GB = 1e9

_NO_BASE = "no base is given: set `base`, or have a train stage in the recipe"


def figures(facts: JSON, estimate: JSON | None) -> dict[str, Figure]:
    """Every name of `gates.NAMES` that could be computed, and why the others could not."""
    found = {**_of_rows(facts), **_of_tokens(facts), **_of_samples(facts), **_of_estimate(estimate)}
    verdict = facts["licences"]
    found["licence"] = Figure(word=verdict["may_be_sold"], why=verdict["why"])
    return found


def licences(data: Sequence[str], base: str | None) -> JSON:
    """Whether a model from this data and base may be sold (`core.licences`).

    Args:
        data: the dataset's licences, all of which hold.
        base: that of the base; None where there is no base.
    """
    of_data = together(judge(one) for one in data)
    parts: list[tuple[str, Judgement]] = [("data", of_data), *([("base", judge(base))] if base is not None else [])]
    whole = together(part for _, part in parts)
    strictest = next(name for name, part in parts if part.may_be_sold == whole.may_be_sold)
    why = dict(parts)[strictest]
    return {
        **{name: _told(part) for name, part in parts},
        "may_be_sold": whole.may_be_sold,
        "why": f"the {strictest}'s licence {_named(why)}: {why.why}",
        "obligations": list(whole.obligations),
    }


def refused(facts: JSON) -> list[str]:
    """Why no training can make sense, whatever the gates say."""
    num = facts["labels"].get("num", 0)
    if facts["task"] not in HAS_CLASSES:
        return []
    if facts["task"] == "token-classification":
        return [] if num else ["at least 1 kind of entity is needed to train; every tag is O"]
    return [f"at least 2 classes are needed to train; there are {num}"] if num < 2 else []


def _of_rows(facts: JSON) -> dict[str, Figure]:
    labels, conflicts, num_rows = facts["labels"], facts["conflicts"], facts["rows"]
    no_labels = Figure(why=f"{facts['task']} has no labels to count")
    num_evaluation = sum(number for name, number in facts["splits"].items() if name != "train")
    return {
        "rows": Figure(value=num_rows),
        "labels": Figure(value=labels["num"]) if "num" in labels else no_labels,
        "imbalance": Figure(value=labels["imbalance"]) if "num" in labels else no_labels,
        "rare_labels": Figure(value=len(labels["rare"]), total=labels["num"]) if "num" in labels else no_labels,
        "label_conflicts": Figure(value=conflicts["rows"], total=num_rows) if conflicts else no_labels,
        "duplicates": Figure(value=facts["duplicates"], total=num_rows - num_evaluation),
        "leaks": Figure(value=facts["leaks"], total=num_evaluation),
    }


def _of_tokens(facts: JSON) -> dict[str, Figure]:
    tokens, cut, targets, template = facts["tokens"], facts["truncated"], facts["targets"], facts["chat_template"]
    num_rows, why = facts["rows"], _no_tokens(facts)
    found = {
        name: Figure(why=why)
        for name in ("truncated", "targets_lost", "untrainable", "unknown_tokens", "template_refused")
    }
    if tokens:
        found["truncated"] = Figure(value=cut["rows"], total=num_rows)
        # The unknown tokens are a share already.
        found["unknown_tokens"] = Figure(value=round(tokens["unknown_share"] * 1e6), total=1e6)
    if targets:
        found["untrainable"] = Figure(value=targets["rows_untrainable"], total=num_rows)
        lost = Figure(value=targets["lost"], total=targets["total"]) if targets["unit"] else None
        found["targets_lost"] = lost or Figure(value=0, total=num_rows)  # a label is whole however short its text is
    if template:
        found["template_refused"] = Figure(value=template["refused"], total=num_rows)
    return found


def _no_tokens(facts: JSON) -> str:
    if facts["base"] is None and FORMS[facts["task"]].texts:
        return _NO_BASE
    return f"{facts['task']} is not cut into tokens"


def _of_samples(facts: JSON) -> dict[str, Figure]:
    near, personal, languages, suspects = facts["near"], facts["personal"], facts["languages"], facts["suspects"]
    unseen = "it was not looked for"
    found = {name: Figure(why=unseen) for name in ("near_duplicates", "near_leaks", "personal_data")}
    found["language_unknown"] = Figure(why="nothing says which languages the base knows" if languages else unseen)
    found["suspects"] = Figure(why=_NO_BASE if facts["base"] is None else unseen)
    if "left_alone" in near:
        found |= {name: Figure(why=near["left_alone"]) for name in ("near_duplicates", "near_leaks")}
    elif near:
        found["near_duplicates"] = Figure(value=near["duplicates"], total=near["looked_at"])
        found["near_leaks"] = Figure(value=near["leaks"], total=near["evaluation"])
    if personal:
        found["personal_data"] = Figure(value=personal["rows"], total=personal["looked_at"])
    if "rows" in languages:
        found["language_unknown"] = Figure(value=languages["rows"], total=languages["looked_at"])
    if suspects:
        found["suspects"] = Figure(value=suspects["rows"], total=suspects["looked_at"])
    return found


def _of_estimate(estimate: JSON | None) -> dict[str, Figure]:
    if estimate is None:
        why = "there is no training to estimate: `train` is not given, or does not train this task"
        return {name: Figure(why=why) for name in ("estimate_seconds", "estimate_memory_gb", "estimate_cost")}
    cost = money(estimate["cost"])
    return {
        "estimate_seconds": Figure(value=estimate["seconds"]),
        "estimate_memory_gb": Figure(value=estimate["memory_bytes"] / GB),
        "estimate_cost": Figure(value=float(cost.amount), word=cost.currency),
    }


def _told(part: Judgement) -> dict[str, str]:
    return {"licence": part.licence, "may_be_sold": part.may_be_sold, "why": part.why}


def _named(part: Judgement) -> str:
    return f"({part.licence})" if part.licence != "NOASSERTION" else "is not stated"
