"""A verb of your own: `weed` takes out rows with too few words to learn from."""

from dataclasses import dataclass

import pyarrow as pa
from pydantic import Field

from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import QUARANTINE, read, rows
from modelmint.core.types import Dataset
from modelmint.loop.stages import Verb


class WeedSpec(Spec):
    """Take out rows that say too little to learn from."""

    min_words: int = Field(default=3, ge=1)
    """A row with fewer words goes to quarantine."""


@dataclass(frozen=True, kw_only=True)
class WeedInputs:
    """Rows with `_row` and `text`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class WeedOutputs:
    """The same columns, fewer rows."""

    data: Dataset
    quarantine: Dataset


def weed(spec: WeedSpec, inputs: WeedInputs, ctx: StageContext) -> WeedOutputs:
    """Keep the rows that have at least `min_words` words; the others go to quarantine with the reason."""
    table = read(inputs.data)
    kept, aside = [], []
    for index, row in enumerate(table.select(["_row", "text"]).to_pylist()):
        if index % 10_000 == 0:
            ctx.check()
            ctx.say(index, table.num_rows, "counting words")
        num_words = len(row["text"].split())
        kept.append(num_words >= spec.min_words)
        if not kept[-1]:
            detail = f"{num_words} words; min_words asks for {spec.min_words}"
            aside.append({"_row": row["_row"], "reason": "too_short", "detail": detail, "raw": row["text"]})
    facts = {name: value for name, value in inputs.data.facts.items() if name in ("task", "language", "licence")}
    return WeedOutputs(
        data=ctx.desk.dataset("data", table.filter(pa.array(kept, pa.bool_())), facts=facts),
        quarantine=ctx.desk.dataset("quarantine", rows(aside, QUARANTINE)),
    )


VERB = Verb(name="weed", about="take out rows with too few words", code="modelmint_weed:weed")
