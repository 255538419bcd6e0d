"""A cheap way beside the model: learned from the training rows, measured on the same test rows, and what it costs.

What the report says is a fact, the difference with its paired interval; what it took is measured.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelmint.core.clock import monotonic_s
from modelmint.core.figures import SHARES, is_lower_better
from modelmint.core.money import Money, machine_cost
from modelmint.core.types import JSON
from modelmint.evaluation.answers import Answered, best_of, measured
from modelmint.evaluation.baselines.cheap import Asked, Cheap
from modelmint.evaluation.baselines.choices import WHY_NONE, chosen
from modelmint.evaluation.comparison import paired
from modelmint.evaluation.predict import Predictions
from modelmint.evaluation.significance import Figure
from modelmint.evaluation.sums import adding

_HERE = "modelmint.evaluation.baselines"
WAYS = {
    "text-classification": "texts:labels_of_texts",
    "text-pair-classification": "texts:labels_of_texts",
    "multi-label-classification": "texts:label_sets_of_texts",
    "text-regression": "texts:numbers_of_texts",
    "token-classification": "spans:tags_of_words",
    "question-answering": "spans:sentences_of_contexts",
    "text2text-generation": "writing:texts_of_texts",
    "text-generation": "language:surprise_at_texts",
    "masked-language-model": "hidden:guesses_of_hidden",
    "text-embedding": "search:neighbours",
    "text-reranking": "search:orders_of_candidates",
    "recommendation": "recommending:items_of_users",
    "image-classification": "media:labels_of_media",
    "audio-classification": "media:labels_of_media",
    "tabular-classification": "tabular:labels_of_tables",
    "tabular-regression": "tabular:numbers_of_tables",
    "preference": "preferring:longer_answers",
}
"""Task -> ``module:function`` (kind, asked) -> what has learned."""
STATES = "states:of_states"
MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What stands beside the model. All is None or empty where nothing does."""

    facts: JSON | None = None
    """``{"name", "num_rows", "metrics", "difference"}``, with ``p_value`` and ``test`` of the first figure that can be
    paired; the difference is the model less the baseline."""
    measured: JSON | None = None
    """Seconds and costs of both, and ``says``: what the model buys for them, in a sentence."""
    answered: Answered | None = None
    """The baseline's answers, measured as the model's are: for gates, also of some rows."""
    warnings: list[JSON] = field(default_factory=list)


def beside(given: str, asked: Asked) -> Beside:
    """Learn the cheap way `given` (or the task's own: ``auto``), ask it the test rows, and compare.

    Raises:
        InputError: the task has no such way, or the way needs what is not there.
        DataError: there are no training rows to learn from.
    """
    kind = chosen(asked.task, given)
    if kind is None:
        why = WHY_NONE.get(asked.task) if given != "none" else None
        said = {"name": "no_baseline", "message": f"no baseline stands beside it: {why}"}
        return Beside(warnings=[said] if why else [])
    asked.ctx.say(0, 0, "fitting the cheap baseline")
    started_s = monotonic_s()
    cheap = _way(asked.task, kind)(kind, asked)
    learned_s, started_s = monotonic_s() - started_s, monotonic_s()
    told = cheap.answer()
    answered_s = monotonic_s() - started_s
    asked.ctx.check()
    answered = _measured(asked, cheap, told, answered_s)
    pairs = [one for name in answered.figures if (one := paired(asked.found, answered, name)) is not None]
    facts: JSON = {
        "name": cheap.name,
        "num_rows": cheap.num_rows,
        "metrics": answered.figures,
        "difference": {one.name: one.difference for one in pairs},
    }
    if pairs:
        facts |= {"p_value": pairs[0].p_value, "test": pairs[0].test}
    costs = Costs.of(asked.found.seconds, learned_s, answered_s, len(asked.answers), asked.ctx.machine_hour)
    return Beside(
        facts=facts,
        measured=costs.to_json() | {"says": says(facts, asked.found.figures, costs)},
        answered=answered,
        warnings=_warnings(facts),
    )


def _measured(asked: Asked, cheap: Cheap, told: Any, seconds: float) -> Answered:
    """As the model's answers are measured, so that every figure of the one has its fellow."""
    found = asked.found
    if cheap.figures is not None:
        with adding() as sums:
            figures = cheap.figures(told, found.seed)
        return replace(found, answers=(), figures=figures, sums=sums, chances=None, seconds=seconds)
    chances = told if isinstance(told, Predictions) else None
    answers = told if chances is None else _classes(chances, found.answers)
    one = measured(found.task, found.form, found.truth, answers, chances, seconds=seconds, seed=found.seed)
    if not cheap.only:
        return one
    figures = {name: figure for name, figure in one.figures.items() if name in cheap.only}
    return replace(one, figures=figures, sums=[each for each in one.sums if set(each.names) & set(cheap.only)])


def _classes(chances: Predictions, like: Sequence[Any]) -> list[JSON]:
    """``{"label", "score"}`` a row, with ``probabilities`` where the model tells them so."""
    answers = best_of(chances.labels, chances.probabilities)
    if like and "probabilities" in like[0]:
        for answer, row in zip(answers, chances.probabilities, strict=True):
            answer["probabilities"] = dict(zip(chances.labels, map(float, row), strict=True))
    return answers


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Seconds are of the test rows; costs are of a million answers, on this machine, as they were asked here."""

    learned_s: float
    answered_s: float
    spent: Money
    model: Money
    baseline: Money
    times: float | None

    @classmethod
    def of(cls, model_s: float, learned_s: float, answered_s: float, num_rows: int, machine_hour: str) -> "Costs":
        def million(seconds: float) -> Money:
            return machine_cost(seconds / max(1, num_rows) * MILLION, machine_hour)

        return cls(
            learned_s=learned_s,
            answered_s=answered_s,
            spent=machine_cost(learned_s + answered_s, machine_hour),
            model=million(model_s),
            baseline=million(answered_s),
            times=model_s / answered_s if answered_s > 0 else None,
        )

    def to_json(self) -> JSON:
        return {
            "seconds": round(self.learned_s + self.answered_s, 3),
            "cost": str(self.spent),
            "seconds_to_learn": round(self.learned_s, 3),
            "seconds_to_answer": round(self.answered_s, 3),
            "cost_per_million": str(self.baseline),
            "model_cost_per_million": str(self.model),
            "times_the_cost": round(self.times, 2) if self.times is not None else None,
        }


def says(facts: JSON, figures: Mapping[str, Figure], costs: Costs) -> str:
    """``accuracy: the model is 4.1 points better than ... (95 %: 3.0 to 5.2); it costs 12 times as much ...``."""
    name = next((one for one in figures if one in facts["metrics"]), None)
    if name is None:
        return f"{facts['name']} has no figure of the model's; {_cost(costs)}"
    found = facts["difference"].get(name)
    by = found["value"] if found else figures[name]["value"] - facts["metrics"][name]["value"]
    plain = name.partition(":")[0]
    better = -by if is_lower_better(plain) else by
    text = f"{name}: the model is {_better(better, facts, found, is_share=plain in SHARES)}; {_cost(costs)}"
    more = costs.model.amount - costs.baseline.amount
    is_sure = found is not None and min(found["low"] * found["value"], found["high"] * found["value"]) > 0
    if plain in SHARES and better >= 0.0005 and is_sure and more > 0:
        text += f": {_price(float(more) / (100 * better), costs.model.currency)} a point"
    return text


def _better(better: float, facts: JSON, found: Figure | None, *, is_share: bool) -> str:
    """By how much, in points of a share, with the interval turned so that more is better."""
    scale, unit, form = (100.0, " points", ".1f") if is_share else (1.0, "", ".4g")
    size = f"{abs(better) * scale:{form}}"
    is_none = float(size) == 0
    text = (
        f"{'no' if is_none else f'{size}{unit}'} {'better' if better >= 0 or is_none else 'worse'} than {facts['name']}"
    )
    if found is None:
        return text
    low, high = found["low"] * scale, found["high"] * scale
    doubt = ", so the difference may be chance" if low <= 0 <= high and low < high else ""
    if found["value"] < 0 and not is_none:
        low, high = -high, -low
    return f"{text} (95 %: {low:{form}} to {high:{form}}{doubt})"


def _cost(costs: Costs) -> str:
    if costs.times is None:
        return "what it costs beside it could not be measured"
    price = f"a million answers, {_price(costs.model.amount, costs.model.currency)} and not {_price(costs.baseline.amount, costs.baseline.currency)}"  # fmt: skip
    if 0.95 <= costs.times <= 1.05:
        return f"it costs as much {price}"
    times = costs.times if costs.times >= 1 else 1 / costs.times
    often = "over 1,000" if times > 1_000 else f"{times:.{0 if times >= 10 else 1}f}"
    return f"it costs {often} times as {'much' if costs.times >= 1 else 'little'} {price}"


def _price(amount: Any, currency: str) -> str:
    value = float(amount)
    return f"{value:.2f} {currency}" if value >= 1 else f"{value:.2g} {currency}" if value > 0 else "next to nothing"


def _way(task: str, kind: str) -> Callable[[str, Asked], Cheap]:
    module, _, name = (STATES if kind == "embeddings" else WAYS[task]).partition(":")
    way: Callable[[str, Asked], Cheap] = getattr(importlib.import_module(f"{_HERE}.{module}"), name)
    return way


def _warnings(facts: JSON) -> list[JSON]:
    """What a person should know although no gate asks for it: of the first figure that can be compared."""
    name = next(iter(facts["difference"]), None)
    if name is None:
        return []
    found = facts["difference"][name]
    worst = -found["high"] if is_lower_better(name) else found["low"]
    if worst > 0:
        return []
    message = f"the model is not clearly better than the cheap way ({facts['name']}), which may do"
    return [{"name": "baseline_not_beaten", "message": message}]
