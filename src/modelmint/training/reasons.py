"""Why a way to train is ranked where it is, in one sentence."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from modelmint.core.formats import percent
from modelmint.core.formats import seconds as written
from modelmint.core.licences import Judgement
from modelmint.core.types import JSON

if TYPE_CHECKING:
    from modelmint.training.advice import Advice

MIN_FOREIGN = 0.05
MIN_CUT = 0.05
MANY_TOKENS = 3.0


def reason(
    told: "Advice", sale: Judgement, cheap_way: JSON | None, *, few_rows: bool, barred: bool, reads_them: bool
) -> str:
    """What decided first, then what speaks for it and against it."""
    clauses = [
        *_first(told, sale, barred=barred, reads_them=reads_them),
        *_of_tokens(told),
        *_of_time(told),
        *_of_quality(told, cheap_way),
        *(["begins from nothing, for which a base makes up until rows are many"] if few_rows else []),
        *([] if told.is_here else [f"not here, {told.how_to_get}"]),
    ]
    text = "; ".join(clauses) or "nothing speaks against it"
    return f"{text[0].upper()}{text[1:]}."


def figure(found: JSON) -> str:
    """``accuracy 0.882 (0.867 to 0.895)``."""
    return f"{found['metric']} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _first(told: "Advice", sale: Judgement, *, barred: bool, reads_them: bool) -> Iterator[str]:
    if barred:
        named = f"its licence {told.licence}" if told.licence not in ("", "unknown") else "its licence is not known and"
        yield f"{named} does not let a model from it be sold ({sale.why.rstrip('.')})"
    if told.failed and told.seconds_are != "measured":
        yield f"it could not be tried: {told.failed}"
    if not told.languages:
        return
    names = ", ".join(told.languages[:4]) + (", …" if len(told.languages) > 4 else "")
    if told.foreign_share is None:
        return
    if told.foreign_share >= 0.5 or not reads_them:
        yield f"knows {names}, and {percent(told.foreign_share, 0)} of the rows are in other languages"
    elif told.foreign_share >= MIN_FOREIGN:
        yield f"knows {names}, not the languages of {percent(told.foreign_share)} of the rows"
    else:
        yield (
            "knows the language of the rows"
            if len(told.languages) == 1
            else "knows the languages of the rows, among others"
        )


def _of_tokens(told: "Advice") -> Iterator[str]:
    if told.tokens_per_word is None:
        return
    if told.unknown_share:
        yield f"does not know {percent(told.unknown_share)} of their tokens"
    if told.tokens_per_word >= MANY_TOKENS:
        yield f"cuts a word into {told.tokens_per_word:.1f} tokens"
    if (told.cut_share or 0) >= MIN_CUT:
        yield f"reads only the beginning of {percent(told.cut_share or 0, 0)} of the rows"


def _of_time(told: "Advice") -> Iterator[str]:
    if told.seconds is None:
        return
    about = "about " if told.seconds_are == "scaled" else ""
    if told.in_budget is False:
        yield f"would take {about}{written(told.seconds)}, more than the budget"
    else:
        yield f"takes {about}{written(told.seconds)} to train" + (", in the budget" if told.in_budget else "")


def _of_quality(told: "Advice", cheap_way: JSON | None) -> Iterator[str]:
    if told.expected is None:
        return
    yield f"{told.expected['how']} reaches {figure(told.expected)}, so expect at least that"
    if cheap_way and cheap_way["metric"] == told.expected["metric"] and cheap_way["low"] > told.expected["high"]:
        yield f"the cheap way reaches more ({cheap_way['value']:.3f}) before any tuning of the base"
