"""Gates on the figures of tasks, stated in the recipe of `harness`.

    gates:
      colours/acc: ">= 0.60"
      wiki/bits_per_byte: "<= 1.9"
      gsm8k/exact_match:strict-match: ">= 0.20"     of a filter that has a name

A gate that cannot be computed blocks.
"""

from collections.abc import Mapping, Sequence

from modelmint.core.errors import InputError
from modelmint.core.gates import Limit, Verdict, conditions, limit

EXAMPLE = ">= 0.60"


def parse(gates: Mapping[str, object], tasks: Sequence[str]) -> tuple[Limit, ...]:
    """Read gates as a recipe states them: ``task/metric`` -> one condition or a list of them.

    Raises:
        InputError: a task that is not asked, or a condition that is not in the language.
    """
    return tuple(
        limit(name, text, example=EXAMPLE) for name, given in gates.items() for text in _listed(name, given, tasks)
    )


def judge(gates: Sequence[Limit], figures: Mapping[str, float], why: Mapping[str, str]) -> list[Verdict]:
    """Hold every gate against the figures; a missing one fails its gate. `why` tells of one that could not be computed."""
    return [gate.verdict(figures.get(gate.name), why.get(gate.name) or _there(gate.name, figures)) for gate in gates]


def _there(name: str, figures: Mapping[str, float]) -> str:
    task = name.partition("/")[0]
    there = ", ".join(known for known in figures if known.startswith(f"{task}/")) or "none"
    return f"there is no such figure (there are: {there})"


def _listed(name: str, given: object, tasks: Sequence[str]) -> Sequence[str]:
    task, slash, metric = name.rpartition("/")
    if not slash or not metric or task not in tasks:
        raise InputError(
            f"gates.{name}: must name a task that is asked and a metric of it, with a slash; the tasks are {', '.join(tasks)}",
            parameter=f"gates.{name}",
            remedy=f'Write it like "{tasks[0]}/acc".',
        )
    return conditions(name, given, example=EXAMPLE)
