"""Two answers: the longer one, which people and judges like better than it deserves.

Source: Singhal et al., A Long Way to Go: Investigating Length Correlations in RLHF (2023).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap
from modelmint.evaluation.baselines.choices import NAMES


def longer_answers(_kind: str, asked: Asked) -> Cheap:
    """As the task's predictor answers, with the number of characters for a log-probability; nothing is learned.

    Pairs that the model cannot read are left out here, too. A margin of characters says nothing beside one of
    probabilities: of its figures only ``accuracy`` is kept.
    """

    def answer() -> list[JSON]:
        rows = zip(asked.truth["chosen"], asked.truth["rejected"], asked.answers, strict=True)
        return [
            {"chosen": _side(chosen), "rejected": _side(rejected)}
            if one["chosen"] and one["rejected"]
            else {"chosen": None, "rejected": None}
            for chosen, rejected, one in rows
        ]

    return Cheap(name=NAMES["longest"], num_rows=0, answer=answer, only=("accuracy",))


def _side(messages: Sequence[Mapping[str, Any]] | None) -> JSON:
    length = sum(len(str(message.get("content") or "")) for message in messages or ())
    return {"log_probability": float(length), "tokens": 1}
