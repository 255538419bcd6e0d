"""What a search found, as the facts of its report, and what of it a training takes over."""

import math
from collections.abc import Mapping, Sequence

from modelmint.core.errors import InputError
from modelmint.core.types import JSON, Report
from modelmint.training.searching.space import placed, set_value, written
from modelmint.training.searching.spec import Range, SearchSpec
from modelmint.training.searching.trial import Trial, best_of
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import Task

MIN_VALIDATION_ROWS = 50
EDGE = 0.02
"""So near to an end of a range, as a share of it, a best value lies at the edge."""


def study_facts(
    spec: SearchSpec,
    trials: Sequence[Trial],
    *,
    task: str,
    base: str,
    num_rows: tuple[int, int],
    ended_by: str,
    importances: Mapping[str, float],
    has_defaults: bool,
) -> JSON:
    """The facts of the report: `best`, `default` (the first trial, where it has the values of no search), all trials.

    Args:
        num_rows: of training and of validation.
        has_defaults: the first trial is such.
    """
    best = best_of(trials)
    if best is None:
        return {}
    facts: JSON = {
        "task": task,
        "base": base,
        "metric": best.metric,
        "higher_is_better": best.higher_is_better,
        "num_rows": num_rows[0],
        "num_validation_rows": num_rows[1],
        "space": {key: _sought(sought) for key, sought in spec.space.items()},
        "budget": {"trials": spec.num_trials, "minutes": spec.minutes, "money": spec.money},
        "sampler": spec.sampler,
        "pruning": spec.pruning,
        "at_once": spec.at_once,
        "ended_by": ended_by,
        "best": {"number": best.number, "score": best.score, "margin": best.margin, "values": best.values},
        "default": {"score": trials[0].score} if has_defaults and trials[0].state == "complete" else None,
        "counts": {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed", "stopped")},
        "importances": dict(importances),
        "trials": [trial.facts() for trial in trials],
    }  # fmt: skip
    return facts | {"warnings": list(_warnings(facts, spec))}


def with_found(spec: TrainSpec, study: Report, task: Task) -> tuple[TrainSpec, JSON]:
    """A training with the best values of a search, and what its report says of that.

    Raises:
        InputError: the search was for another task, or a knob that it searched is set.
    """
    facts = study.facts
    if "best" not in facts or facts.get("task") != task.name:
        raise InputError(
            f"search: must be of a search for {task.name}; {study.id} is for {facts.get('task', 'something else')}",
            parameter="search",
            remedy="Put this train stage before the search stage, or give it its own with `from: {search: STAGE}`.",
        )
    best = facts["best"]
    for key in best["values"]:
        if (given := set_value(spec, key)) is not None:
            raise InputError(
                f"{key}: must be left out where a search has found it; got {given!r}",
                parameter=key,
                remedy=f"Take {key} out of train, or out of search.space.",
            )
    options = getattr(task.learner(), "Options", None)
    found = {
        "study": study.digest,
        "trial": best["number"],
        "num_trials": len(facts["trials"]),
        "score": best["score"],
        "values": best["values"],
    }
    return placed(spec, best["values"], options), found


def _warnings(facts: JSON, spec: SearchSpec) -> list[str]:
    found, best, counts = [], facts["best"], facts["counts"]
    if facts["num_validation_rows"] < MIN_VALIDATION_ROWS:
        found.append(
            f"There are {facts['num_validation_rows']} validation rows: chance decides between trials. Give at least "
            f"{MIN_VALIDATION_ROWS}, better a thousand."
        )
    if facts["default"] and abs(best["score"] - facts["default"]["score"]) <= best["margin"]:
        found.append(
            "The best is no better than the values without a search by more than one standard error of its score."
        )
    for key, sought in spec.space.items():
        if (end := _edge(sought, best["values"][key])) is not None:
            found.append(
                f"The best {key}, {written(best['values'][key])}, lies at the edge of what was searched: a {end} one may be better."
            )
    if counts["failed"]:
        why = next(trial["why"] for trial in facts["trials"] if trial["state"] == "failed")
        found.append(f"{counts['failed']} of {len(facts['trials'])} trials failed, the first with: {why}")
    return found


def _edge(sought: "Range | tuple[object, ...]", value: float) -> str | None:
    if isinstance(sought, tuple):
        return None
    scale = math.log if sought.log else float
    low, high, at = scale(sought.low), scale(sought.high), scale(value)
    share = (at - low) / (high - low)
    return "lower" if share <= EDGE else "higher" if share >= 1 - EDGE else None


def _sought(sought: "Range | tuple[object, ...]") -> object:
    return list(sought) if isinstance(sought, tuple) else sought.model_dump(mode="json", exclude_defaults=True)
