"""What is asked of `advise`, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Self

from modelmint.core.errors import InputError
from modelmint.core.money import money
from modelmint.core.types import JSON

NUM_PROBED = 3
LIMIT_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What is wanted. `seconds` is the most that the training may take, None for any."""

    task: str | None = None
    seconds: float | None = None
    sell: bool = True
    only_local: bool = False
    limit_s: float = LIMIT_S
    num_probed: int = NUM_PROBED
    """How many of the first that are here are tried."""

    @classmethod
    def of(cls, *, minutes: float | None, cost: str | None, machine_hour: str, **others: Any) -> Self:
        """With a budget of minutes or of money.

        Raises:
            InputError: both were given, or the money is of another currency than the machine's.
        """
        if minutes is not None and cost is not None:
            raise InputError(
                "minutes: must be left out where money is given; got both", parameter="minutes", remedy="Give one."
            )
        seconds = minutes * 60 if minutes is not None else None
        if cost is not None:
            most, hour = money(cost), money(machine_hour)
            if most.currency != hour.currency or not hour.amount:
                raise InputError(
                    f"money: must be in {hour.currency}, in which an hour of this machine has a price above 0 "
                    f"(MODELMINT_MACHINE_HOUR is {machine_hour}); got {cost}",
                    parameter="money",
                    remedy="Give minutes, or set MODELMINT_MACHINE_HOUR.",
                )
            seconds = float(most.amount / hour.amount * Decimal(3600))
        return cls(seconds=seconds, **others)


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """One way, at its rank. Figures are None where they are not known.

    `train` is what to write into a recipe; `seconds_are` says where they come from: ``measured`` by a probe, ``scaled``
    from another's by size; `foreign_share` is of rows in languages that the base does not know, `unknown_share` of tokens
    that its tokenizer does not know; `served_per_s` are rows a second before any compression.
    """

    rank: int
    name: str
    train: JSON
    reason: str
    is_here: bool
    how_to_get: str
    licence: str
    may_be_sold: str
    languages: tuple[str, ...]
    size_bytes: int | None
    foreign_share: float | None = None
    tokens_per_word: float | None = None
    unknown_share: float | None = None
    cut_share: float | None = None
    seconds: float | None = None
    most_seconds: float | None = None
    seconds_are: str = ""
    memory_bytes: int | None = None
    cost: str | None = None
    served_per_s: float | None = None
    in_budget: bool | None = None
    expected: JSON | None = None
    failed: str = ""

    def to_dict(self) -> JSON:
        return {**asdict(self), "languages": list(self.languages)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Advised:
    """The ways in their order, and what was found out of the rows on the way."""

    task: str
    num_rows: int
    languages: Mapping[str, float]
    cheap_way: JSON | None
    advice: Sequence[Advice]
    unusable: Mapping[str, str]
    """Bases that are here and cannot be used, and why."""
    took_s: float

    def to_dict(self) -> JSON:
        return {
            "task": self.task,
            "num_rows": self.num_rows,
            "languages": dict(self.languages),
            "cheap_way": self.cheap_way,
            "advice": [one.to_dict() for one in self.advice],
            "unusable": dict(self.unusable),
            "took_s": self.took_s,
        }
