"""Runs, models or trainings beside each other: figures, what was set otherwise, what it took, and the curves."""

import json
from collections.abc import Sequence
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.core import tables
from modelmint.core.errors import InputError
from modelmint.core.figures import is_lower_better
from modelmint.core.types import JSON, Dataset, Report
from modelmint.evaluation.answers import HEAVY
from modelmint.evaluation.pairing import Pairing, pair_answers, pair_labels
from modelmint.loop.tracking.config import differences
from modelmint.loop.tracking.sides import Side, side_of

MAX_SIDES = 8
LETTERS = "ABCDEFGH"
SEED = 17
"""Of the resamples of the differences: the same comparison gives the same intervals."""
TOOK = ("seconds", "cost", "memory_bytes", "examples_per_s", "tokens_per_s", "padding")


def compare(catalog: Catalog, identifiers: Sequence[str]) -> JSON:
    """Compare what two to eight ids stand for; the first is what the others are compared with.

    Returns:
        ``sides``; ``metrics`` with intervals, and differences where two were asked the same rows; ``paired``, for each
        other side the test of the difference or why there is none; ``config``, what was set otherwise; ``took``, time,
        memory, cost and sizes; ``curves``, where they are; ``notes``, sentences for people.

    Raises:
        InputError: fewer than two ids or more than eight, the same twice, or one that cannot be compared.
        NotFoundError: an id is not known.
    """
    sides = sides_of(catalog, identifiers)
    paired = [_paired(sides[0], side) for side in sides[1:]]
    return {
        "sides": [_about(letter, side) for letter, side in zip(LETTERS, sides, strict=False)],
        "metrics": _metrics(sides, [found if isinstance(found, Pairing) else None for found in paired]),
        "paired": [None, *(_told(found) for found in paired)],
        "config": differences(sides),
        "took": _took(sides),
        "curves": [_curves(side) for side in sides],
        "notes": _notes(sides),
    }


def sides_of(catalog: Catalog, identifiers: Sequence[str]) -> list[Side]:
    """As `compare`."""
    if not 2 <= len(identifiers) <= MAX_SIDES:
        raise InputError(
            f"ids: must be 2 to {MAX_SIDES}; got {len(identifiers)}",
            parameter="ids",
            remedy="modelmint compare RUN RUN; `modelmint runs` lists them.",
        )
    sides = [side_of(catalog, identifier) for identifier in identifiers]
    twice = next((side.id for at, side in enumerate(sides) if side.id in {one.id for one in sides[:at]}), None)
    if twice is not None:
        raise InputError(
            f"ids: must be different; {twice} stands twice", parameter="ids", remedy="Name another run beside it."
        )
    return sides


def _about(letter: str, side: Side) -> JSON:
    return {
        "letter": letter,
        "id": side.id,
        "name": side.name,
        "run": side.run,
        "status": side.status,
        "task": side.task,
        "base": side.training.facts["base"] if side.training is not None else None,
        "model": side.model.id if side.model is not None else None,
        "model_digest": side.model.digest if side.model is not None else None,
        "training": side.training.id if side.training is not None else None,
        "evaluation": side.evaluation.id if side.evaluation is not None else None,
        "licences": side.licences,
    }


def _metrics(sides: Sequence[Side], paired: Sequence[Pairing | None]) -> list[JSON]:
    rows = []
    tested = [_test_figures(side.evaluation) for side in sides]
    for name in dict.fromkeys(name for figures in tested for name in figures):
        found = [None, *(one.figures.get(name) if one is not None else None for one in paired)]
        differences = [_turned(figure) if figure is not None else None for figure in found]
        rows.append(_row("test", name, [figures.get(name) for figures in tested], differences))
    chosen = [validation_figures(side.training) for side in sides]
    nothing = [None] * len(sides)
    for name in dict.fromkeys(name for figures in chosen for name in figures):
        rows.append(_row("validation", name, [figures.get(name) for figures in chosen], nothing))
    return rows


def _row(of: str, name: str, values: Sequence[Any], differences: Sequence[Any]) -> JSON:
    plain = name.partition(":")[0]
    better = "lower" if is_lower_better(plain) or plain.endswith("loss") else "higher"
    return {"name": name, "of": of, "better": better, "values": list(values), "differences": list(differences)}


def _turned(figure: Any) -> JSON:
    """The other side minus the first, where the figure is the first minus the other."""
    value, low, high = (round(0.0 - figure[key], 6) for key in ("value", "high", "low"))
    return {"value": value, "low": low, "high": high, "n": figure["n"], "clear": low > 0 or high < 0}


def _test_figures(evaluation: Report | None) -> dict[str, JSON]:
    if evaluation is None:
        return {}
    facts = evaluation.facts
    sureness = facts.get("calibration") or {}
    alone = {
        name: {"value": sureness[name], "n": facts["num_rows"]} for name in ("log_loss", "ece") if name in sureness
    }
    return {**alone, **facts["metrics"]}


def validation_figures(training: Report | None) -> dict[str, JSON]:
    """Of the epoch whose weights were kept."""
    if training is None or not training.facts["history"]:
        return {}
    facts = training.facts
    kept = next((row for row in facts["history"] if row["epoch"] == facts["best_epoch"]), facts["history"][-1])
    return {
        name.removeprefix("validation_"): {"value": value, "n": facts["num_validation_rows"]}
        for name, value in kept.items()
        if name.startswith("validation_") and isinstance(value, int | float)
    }


def _paired(first: Side, other: Side) -> Pairing | str:
    """What the answers to the same rows say, or why nothing can be said."""
    missing = next((side for side in (first, other) if side.evaluation is None or side.predictions is None), None)
    if missing is not None:
        return f"{missing.name} ({missing.id}) has no evaluation"
    if first.task != other.task:
        return f"they are for other tasks: {first.task} and {other.task}"
    tests, answers = [side.data.get("test") for side in (first, other)], [side.predictions for side in (first, other)]
    if None in tests or None in answers:
        return "what they were tested on is no longer in the catalog"
    return _asked_alike(str(first.task), tests, answers)  # type: ignore[arg-type]


def _asked_alike(task: str, tests: Sequence[Dataset], answers: Sequence[Dataset]) -> Pairing | str:
    ours, theirs = ({row["_row"]: row for row in tables.read(one).to_pylist()} for one in answers)
    if tests[0].digest != tests[1].digest or set(ours) != set(theirs):
        shared = len(set(ours) & set(theirs))
        return f"they were tested on other rows: {shared:,} of {len(ours):,} and {len(theirs):,} are the same"
    order = list(ours)
    if "predicted" in ours[order[0]]:
        told = [[rows[row]["predicted"] for row in order] for rows in (ours, theirs)]
        return pair_labels([ours[row]["label"] for row in order], *told, seed=SEED)
    names = [name for name in tables.column_names(tests[0]) if name not in HEAVY]
    place = {row: at for at, row in enumerate(tables.column(tests[0], "_row"))}
    table = tables.read(tests[0], names)
    truth = table.take([place[row] for row in order]).to_pydict()
    said = [[json.loads(rows[row]["answer"]) for row in order] for rows in (ours, theirs)]
    return pair_answers(task, truth, *said, seed=SEED)


def _told(found: Pairing | str) -> JSON:
    if isinstance(found, str):
        return {"same_rows": False, "why": found}
    told: JSON = {"same_rows": True}
    if found.test is None:
        return told
    test = found.test
    return told | {
        "test": "McNemar's exact test",
        "p_value": test.p_value,
        "num_first_only": test.num_first_only,
        "num_second_only": test.num_second_only,
    }


def _took(sides: Sequence[Side]) -> list[JSON]:
    """``{"name", "values"}``; None where a side does not say."""
    columns = [took_of(side) for side in sides]
    names = dict.fromkeys(name for column in columns for name in column)
    return [{"name": name, "values": [column.get(name) for column in columns]} for name in names]


def took_of(side: Side) -> JSON:
    """Time, memory, cost, sizes: as far as a side says."""
    found: JSON = {} if side.seconds is None else {"run_seconds": side.seconds}
    if side.training is not None:
        measured, facts = side.training.measured, side.training.facts
        found |= {name: measured[name] for name in TOOK if name in measured}
        found |= {name: facts[name] for name in ("steps", "best_epoch", "num_rows")}
        found |= {name: facts[name] for name in ("parameters", "trained_parameters") if facts["parameters"]}
    if side.evaluation is not None and "examples_per_s" in side.evaluation.measured:
        found["answers_per_s"] = side.evaluation.measured["examples_per_s"]
    if side.model is not None:
        found["size_bytes"] = side.model.size_bytes
    if side.compression is not None:
        timed = side.compression.measured.get("variants", {})
        chosen = next((one for one in side.compression.facts.get("variants", ()) if one["chosen"]), None)
        if chosen is not None:
            about = chosen | timed.get(chosen["name"], {})
            found |= {
                f"variant.{key}": about[key]
                for key in ("name", "size_bytes", "p50_ms", "throughput_per_s", "cost_per_million")
                if key in about
            }
    return found


def _curves(side: Side) -> JSON:
    """Where they are: the training's report holds the points, in ``facts.curve`` and ``measured.pace``."""
    if side.training is None:
        return {"training": None, "points": 0, "epochs": 0}
    facts = side.training.facts
    return {"training": side.training.id, "points": len(facts["curve"]), "epochs": len(facts["history"])}


def _notes(sides: Sequence[Side]) -> list[str]:
    notes = []
    for letter, side in zip(LETTERS, sides, strict=False):
        if side.training is None:
            notes.append(f"{letter} has no training: there is nothing to say of its curves and of what it took.")
        if side.status not in (None, "succeeded"):
            notes.append(f"{letter} is {side.status}: it may not have come to its evaluation.")
    tasks = {side.task for side in sides if side.task is not None}
    if len(tasks) > 1:
        notes.append(
            f"They are for other tasks ({', '.join(sorted(tasks))}): a figure of the same name is not the same."
        )
    first = {
        side.model.digest: letter for letter, side in reversed(list(zip(LETTERS, sides, strict=False))) if side.model
    }
    for letter, side in zip(LETTERS, sides, strict=False):
        if side.model is not None and first[side.model.digest] != letter:
            notes.append(f"{letter} is the same model as {first[side.model.digest]}, bit by bit.")
    return notes
