"""Categories that are written in several ways: ``Spam``, ``spam`` and ``spam ``."""

from collections import Counter
from collections.abc import Iterable

from modelmint.core.text import same_text_key

MAX_VALUES = 10_000
NUM_SHOWN = 20


class Spellings:
    """Counts the values of one column; stops at `MAX_VALUES`: then it holds no categories. Not thread-safe."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.is_full = False

    def see(self, values: Iterable[str]) -> None:
        """Count some more values."""
        if not self.is_full:
            self.counts.update(values)
            self.is_full = len(self.counts) > MAX_VALUES

    def variants(self) -> list[dict[str, int]]:
        """Groups of values that differ only in case, width or space, with their counts; the largest groups first."""
        groups: dict[str, dict[str, int]] = {}
        for value, count in sorted(self.counts.items()):
            groups.setdefault(same_text_key(value), {})[value] = count
        found = [group for group in groups.values() if len(group) > 1]
        return sorted(found, key=lambda group: (-sum(group.values()), min(group)))[:NUM_SHOWN]
