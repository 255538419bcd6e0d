"""Gates on a variant, stated in the recipe of `compress`.

    gates:
      accuracy_drop: "<= 0.005"        against the trained model
      agreement: ">= 0.99"
      size_mb: "<= 30"
      p99_ms: "<= 10"
      cost_per_million: "<= 0.08"      in the currency of MODELMINT_MACHINE_HOUR

A gate that cannot be computed blocks.
"""

from collections.abc import Mapping, Sequence

from modelmint.core.errors import InputError
from modelmint.core.gates import Limit, Verdict, conditions, limit, unknown_gate

Gate = Limit
COMPARED = ("accuracy_drop", "agreement")
"""Against the trained model, as shares."""
TIMED = ("load_ms", "p50_ms", "p99_ms", "throughput_per_s", "cost_per_million", "peak_mb")
"""Measured on this machine."""
FIGURES = (*COMPARED, "size_mb", *TIMED)
DEFAULTS = {"accuracy_drop": "<= 0.005", "agreement": ">= 0.99"}
"""These stand where the recipe does not state others."""


def parse(gates: Mapping[str, object]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: figure -> one condition or a list of them; `DEFAULTS` for those not named.

    Raises:
        InputError: an unknown figure, or a condition that is not in the language.
    """
    wanted = DEFAULTS | dict(gates)
    return tuple(_gate(name, text) for name, given in wanted.items() for text in _listed(name, given))


def judge(gates: Sequence[Gate], figures: Mapping[str, float]) -> list[Verdict]:
    """Hold every gate against a variant's figures; a missing figure fails its gate."""
    return [gate.verdict(figures.get(gate.name), f"{gate.name} could not be computed") for gate in gates]


def _listed(name: str, given: object) -> Sequence[str]:
    if name not in FIGURES:
        raise unknown_gate(name, FIGURES)
    return conditions(name, given, example=_example(name))


def _gate(name: str, text: str) -> Gate:
    found = limit(name, text, example=_example(name))
    if name in COMPARED and found.number > 1:
        raise InputError(
            f"gates.{name}: must compare with a share from 0 to 1; got {text!r}",
            parameter=f"gates.{name}",
            remedy=f'Write 99 % as 0.99: "{found.operator} 0.99".',
        )
    return found


def _example(name: str) -> str:
    return DEFAULTS.get(name, "<= 30")
