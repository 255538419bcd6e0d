"""Histories that find what ordinary rows do not: made from evaluation rows, with items that are unknown, too many or none.

The endpoint must answer them as the trained model does.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from modelmint.core.inputs import MAX_TAKEN, WANTED, Input, fits
from modelmint.core.items import MAX_WANTED
from modelmint.evaluation.proof.adversarial import EMOJI, SCRIPTS, TOO_LONG, Odd

Names: TypeAlias = list[str]
Change: TypeAlias = Callable[[Names, Sequence[str], Random], Names]

UNKNOWN = ("", " ", "no such item", "[PAD]", "-1", "0", "\u200b", *EMOJI, *SCRIPTS)


def odd_histories(histories: Sequence[Names], catalogue: Sequence[str], *, num_rows: int, seed: int) -> list[Odd]:
    """At most `num_rows` changed histories, of every kind about as many; one of them is longer than the API takes.

    Args:
        histories: those of rows of evaluation; at least one.
        catalogue: every item that the model knows.
    """
    if num_rows == 0:
        return []
    random = Random(seed)  # noqa: S311  # which histories are changed is no secret
    order, kinds = random.sample(list(histories), len(histories)), list(_KINDS.items())
    found: dict[str, Odd] = {}
    for at in range(4 * num_rows):
        if len(found) >= num_rows - 1:
            break
        kind, change = kinds[at % len(kinds)]
        items = change(list(order[(at // len(kinds) + at) % len(order)]), catalogue, random)[:MAX_TAKEN]
        given: Input = {"items": items, **({WANTED: MAX_WANTED} if kind == "as many as may be wanted" else {})}
        if fits(given):
            found.setdefault(str(given), Odd(kind=kind, given=given))
    too_long = [catalogue[at % len(catalogue)] for at in range(MAX_TAKEN + 1)]
    return [*found.values(), Odd(kind=TOO_LONG, given={"items": too_long})]


def _among(items: Names, strange: Sequence[str], random: Random) -> Names:
    for one in strange:
        items.insert(random.randint(0, len(items)), one)
    return items


def _drawn(catalogue: Sequence[str], random: Random, num: int) -> Names:
    return [random.choice(catalogue) for _ in range(num)]


_KINDS: Mapping[str, Change] = {
    "empty": lambda _items, _catalogue, _random: [],
    "one item": lambda _items, catalogue, random: _drawn(catalogue, random, 1),
    "two items": lambda _items, catalogue, random: _drawn(catalogue, random, 2),
    "the other way round": lambda items, _catalogue, _random: items[::-1],
    "unknown items alone": lambda _items, _catalogue, random: random.sample(UNKNOWN, 3),
    "unknown items among": lambda items, _catalogue, random: _among(items, random.sample(UNKNOWN, 4), random),
    "emoji in a name": lambda items, _catalogue, random: [*items, f"{(items or [''])[-1]} {random.choice(EMOJI)}"],
    "other capitals": lambda items, _catalogue, _random: [item.swapcase() for item in items[:-1]] + items[-1:],
    "spaces around": lambda items, _catalogue, _random: items[:-1] + [f" {item} " for item in items[-1:]],
    "one item again and again": lambda items, catalogue, random: (items[-1:] or _drawn(catalogue, random, 1)) * 30,
    "everything twice": lambda items, _catalogue, _random: [item for item in items for _ in range(2)],
    "far longer than is read": lambda items, catalogue, random: [*_drawn(catalogue, random, MAX_TAKEN), *items][-MAX_TAKEN:],
    "longer than is read": lambda items, catalogue, random: [*_drawn(catalogue, random, 120), *items],
    "nearly everything": lambda _items, catalogue, random: random.sample(
        list(catalogue), max(1, min(MAX_TAKEN, len(catalogue) - random.randint(1, 5)))
    ),
    "everything": lambda _items, catalogue, _random: list(catalogue),
    "as many as may be wanted": lambda items, _catalogue, _random: items,
}  # fmt: skip
