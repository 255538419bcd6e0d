"""How long a search may go on, counted over all the times that it was interrupted."""

import json
from pathlib import Path

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import InputError
from modelmint.core.money import machine_cost, money
from modelmint.training.searching.spec import SearchSpec

NOTE_EVERY_S = 2.0


class Budget:
    """Time and money that a search has used. What was used before a kill is read from a file in `folder`.

    Raises:
        InputError: money of another currency than the machine's price, or a machine that costs nothing.
    """

    def __init__(self, spec: SearchSpec, *, machine_hour: str, folder: Path) -> None:
        self._file, self._machine_hour = folder / "spent.json", machine_hour
        self._limits_s = {} if spec.minutes is None else {"minutes": spec.minutes * 60}
        if spec.money is not None:
            self._limits_s["money"] = _affordable_s(spec.money, machine_hour)
        self._before_s = float(json.loads(self._file.read_text())["seconds"]) if self._file.is_file() else 0.0
        self._began_s = self._noted_s = monotonic_s()

    @property
    def limit_s(self) -> float | None:
        """When it ends at the latest; None where trials alone end it."""
        return min(self._limits_s.values(), default=None)

    @property
    def left_s(self) -> float | None:
        """Until `limit_s`."""
        return None if self.limit_s is None else self.limit_s - self.spent_s

    @property
    def spent_s(self) -> float:
        return self._before_s + monotonic_s() - self._began_s

    @property
    def cost(self) -> str:
        return str(machine_cost(self.spent_s, self._machine_hour))

    def ended_by(self) -> str | None:
        """The first of the limits that is reached."""
        reached = {name: limit_s for name, limit_s in self._limits_s.items() if self.spent_s >= limit_s}
        return min(reached, key=lambda name: reached[name], default=None)

    def note(self, *, now: bool = False) -> None:
        """Write down what was used, if it is some time since."""
        if now or monotonic_s() - self._noted_s >= NOTE_EVERY_S:
            partial = self._file.with_suffix(".partial")
            partial.write_text(json.dumps({"seconds": self.spent_s}), encoding="utf-8")
            partial.rename(self._file)
            self._noted_s = monotonic_s()


def _affordable_s(most: str, machine_hour: str) -> float:
    given, hour = money(most), money(machine_hour)
    if given.currency != hour.currency or not hour.amount:
        raise InputError(
            f"money: must be in the currency of this machine's price, which is {machine_hour} an hour"
            f"{'' if hour.amount else ': nothing would ever be spent'}; got {most}",
            parameter="money",
            remedy="Give minutes or trials, or set MODELMINT_MACHINE_HOUR.",
        )
    return float(given.amount / hour.amount * 3600)
