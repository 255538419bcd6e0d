"""What a parity report says of chats: how far the endpoint's tokens are from those of what it was made from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.core.gates import refusals
from modelmint.core.types import JSON
from modelmint.evaluation.gates import judge
from modelmint.evaluation.proof.adversarial import TOO_LONG
from modelmint.evaluation.proof.parity_facts import Limits, gates_of, rounded
from modelmint.evaluation.proof.replay_chats import ChatReplay, Messages, text_of
from modelmint.evaluation.proof.sides import Floats

MAX_CHATS = 200
"""Each token of an answer is a step of the engine and of the trained model."""
NUM_NEIGHBOURS = 16
NUM_SHOWN = 20
SHOWN_CHARS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Chats up to where the assistant speaks, or texts to go on with; those of the test rows first, then odd ones;
    `kinds` is empty for a row."""

    ids: list[str]
    chats: Sequence[Messages | str]
    tools: list[Any]
    kinds: list[str]

    @property
    def num_rows(self) -> int:
        return sum(not kind for kind in self.kinds)

    def text(self, at: int) -> str:
        return text_of(self.chats[at])

    @property
    def are_texts(self) -> bool:
        return isinstance(self.chats[0], str)

    @property
    def noun(self) -> str:
        return "texts" if self.are_texts else "chats"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the trained model holds of an answer's tokens, its end included: whether each is the one that it would say,
    whether it is undecided there, and by how much probability and log-probability moved (those of the end are not told)."""

    same: list[bool]
    undecided: list[bool]
    drift: Floats
    log_drift: Floats
    wanted: int | None
    """The token that it would have said where it first parted."""
    place: int | None

    @property
    def undecided_or_same(self) -> list[bool]:
        return [one or other for one, other in zip(self.same, self.undecided, strict=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatsCompared:
    """Chats, as the endpoint answered them and the reference holds those answers; `prompts` are its token ids."""

    asked: Asked
    prompts: Sequence[list[int]]
    served: ChatReplay
    held: Sequence[Held | None]
    exact: JSON
    neighbour_drift: float
    """The largest difference of a token's probability between a chat alone and in company."""
    folder: Path
    """The trained model's, whose tokenizer shows what would have been said."""

    @property
    def of_rows(self) -> range:
        return range(self.asked.num_rows)

    @property
    def of_odd(self) -> range:
        return range(self.asked.num_rows, len(self.held))

    def is_refused(self, at: int) -> bool:
        """Whether the endpoint took a chat for too long, as it must."""
        return self.served.said[at] is None and not self.served.failed[at]

    @property
    def num_failed(self) -> int:
        return sum(int(each["num_rows"]) for each in self.served.failures)


def facts_of_chats(compared: ChatsCompared, limits: Limits) -> JSON:
    """The facts of the report, in the shape that those of labels have; `agreement` is of tokens."""
    rows, odd = _Part.of(compared, compared.of_rows), _Part.of(compared, compared.of_odd, undecided=True)
    differences = [*compared.exact["differences"], *_other_lengths(compared)]
    figures: JSON = {
        "differences": float(len(differences)),
        "agreement": rows.agreement,
        "mean_drift": rows.mean_drift,
        "max_drift": max(rows.max_drift, odd.max_drift),
        "failed_rows": float(compared.num_failed),
        "neighbour_drift": compared.neighbour_drift,
    }
    if odd.num_answers:
        figures |= {"adversarial_agreement": odd.agreement, "adversarial_mean_drift": odd.mean_drift}
    verdicts = judge(gates_of(limits, figures), {name: round(value, 6) for name, value in figures.items()})
    failures = compared.served.failures
    noun = compared.asked.noun
    failed = [f"the endpoint failed on {each['num_rows']} {noun}: {each['reason']}" for each in failures[:3]]
    return {
        "num_rows": compared.asked.num_rows,
        "agreement": round(rows.agreement, 6),
        "answers": {
            "num_tokens": rows.num_tokens,
            "same": round(rows.same_answers, 6),
            "log_probability_drift": {"mean": round(rows.mean_log_drift, 4), "max": round(rows.max_log_drift, 3)},
        },
        "drift": rows.drift,
        "num_failed_rows": compared.num_failed,
        "num_too_long_rows": sum(compared.is_refused(at) for at in compared.of_rows),
        "failures": failures,
        "adversarial": _adversarial(compared, odd),
        "neighbours": {
            "num_texts": min(compared.asked.num_rows, NUM_NEIGHBOURS),
            "max_drift": round(compared.neighbour_drift, 4),
        },
        "exact": {**compared.exact, "differences": differences},
        "gates": [rounded(verdict) for verdict in verdicts],
        "refused": [*differences, *refusals([one for one in verdicts if one["name"] != "differences"]), *failed],
        "notes": _notes(compared.asked),
        "disagreements": list(_disagreements(compared)),
    }


def measured_of_chats(compared: ChatsCompared, seconds: float) -> JSON:
    """Times, and drift to its last digit."""
    answered = [said for said in compared.served.said if said is not None]
    p50, p95 = np.percentile([said.latency_ms for said in answered] or [0.0], [50, 95])
    rows, odd = _Part.of(compared, compared.of_rows), _Part.of(compared, compared.of_odd)
    drift = np.concatenate([np.zeros(0), *(one.drift for at in compared.of_rows if (one := compared.held[at]))])
    return {
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "requests": len(compared.served.said),
        "requests_answered": len(answered),
        "seconds": round(seconds, 3),
        "rows_per_s": round(len(compared.served.said) / max(seconds, 1e-9), 1),
        "tokens_per_s": round(sum(len(said.ids) for said in answered) / max(seconds, 1e-9), 1),
        "score_difference": {"max": round(rows.max_drift, 6), "mean": round(rows.mean_drift, 6)},
        "adversarial_difference": {"max": round(odd.max_drift, 6), "mean": round(odd.mean_drift, 6)},
        "drift": [round(float(one), 6) for one in np.sort(drift)[::-1][:200]],
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Figures over the tokens of some answers."""

    num_answers: int
    num_tokens: int
    agreement: float
    same_answers: float
    mean_drift: float
    max_drift: float
    mean_log_drift: float
    max_log_drift: float

    @classmethod
    def of(cls, compared: ChatsCompared, places: Sequence[int], *, undecided: bool = False) -> "_Part":
        """A chat without an answer counts as one token that is not the same, unless it was refused as it must be.

        Args:
            undecided: where the reference is undecided between two tokens, either is the same.
        """
        held = [one for at in places if (one := compared.held[at]) is not None]
        answers = [one.undecided_or_same if undecided else one.same for one in held]
        answers += [[False] for at in places if compared.held[at] is None and compared.served.failed[at]]
        tokens = [is_same for answer in answers for is_same in answer]
        drift, logs = (
            np.concatenate([np.zeros(0), *each])
            for each in ([one.drift for one in held], [one.log_drift for one in held])
        )
        return cls(
            num_answers=len(answers),
            num_tokens=len(tokens),
            agreement=float(np.mean(tokens)) if tokens else 1.0,
            same_answers=float(np.mean([all(answer) for answer in answers])) if answers else 1.0,
            mean_drift=float(drift.mean()) if len(drift) else 0.0,
            max_drift=float(drift.max(initial=0.0)),
            mean_log_drift=float(logs.mean()) if len(logs) else 0.0,
            max_log_drift=float(logs.max(initial=0.0)),
        )

    @property
    def drift(self) -> dict[str, float]:
        return {"mean": round(self.mean_drift, 4), "max": round(self.max_drift, 3)}


def _other_lengths(compared: ChatsCompared) -> list[str]:
    """What the endpoint's own counts say of how it reads."""
    pairs = [
        (len(prompt), said.num_prompt_tokens)
        for prompt, said in zip(compared.prompts, compared.served.said, strict=True)
        if said is not None
    ]
    num_other = sum(mine != theirs for mine, theirs in pairs)
    noun = compared.asked.noun
    return [f"the endpoint read another number of tokens in {num_other} of {len(pairs)} {noun}"] if num_other else []


def _adversarial(compared: ChatsCompared, odd: _Part) -> JSON:
    kinds: dict[str, list[int]] = {}
    for at in compared.of_odd:
        if compared.held[at] is not None:
            kinds.setdefault(compared.asked.kinds[at], []).append(at)
    told: list[JSON] = []
    for kind, places in kinds.items():
        part = _Part.of(compared, places, undecided=True)
        num_differing = round((1 - part.same_answers) * part.num_answers)
        told.append({"kind": kind, "num_texts": part.num_answers, "num_differing": num_differing, **part.drift})
    return {
        "num_texts": odd.num_answers,
        "agreement": round(odd.agreement, 6),
        "drift": odd.drift,
        "kinds": sorted(told, key=lambda one: (-one["num_differing"] / one["num_texts"], -one["mean"], one["kind"])),
        "num_refused_as_must": sum(compared.is_refused(at) for at in compared.of_odd),
        "refused_kind": TOO_LONG,
        "disagreements": [],
    }


def _disagreements(compared: ChatsCompared) -> Iterator[JSON]:
    """The first place of each answer at which the trained model would have said another token."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(compared.folder / "tokenizer.json"))

    def shown(before: str, token_id: int | None) -> str:
        token = "" if token_id is None else tokenizer.decode([token_id]) or tokenizer.id_to_token(token_id)
        return f"{before}[{token or 'end'}]"

    found = [
        (at, one, said) for at in compared.of_rows if (one := compared.held[at]) and (said := compared.served.said[at])
    ]
    for at, one, said in [each for each in found if each[1].place is not None][:NUM_SHOWN]:
        before = tokenizer.decode(said.ids[: one.place])[-60:]
        given = said.ids[one.place] if one.place is not None and one.place < len(said.ids) else None
        yield {
            "_row": compared.asked.ids[at],
            "text": compared.asked.text(at)[:SHOWN_CHARS],
            "label": None,
            "trained": shown(before, one.wanted),
            "served": shown(before, given),
        }


def _notes(asked: Asked) -> list[str]:
    notes = ["the weights were not compared one by one: this form does not keep their names"]
    if asked.num_rows < MAX_CHATS:
        notes.insert(0, f"fewer than {MAX_CHATS}: {asked.num_rows} {asked.noun} were replayed")
    if asked.num_rows == len(asked.chats):
        notes.append("no odd texts were replayed: adversarial_rows is 0")
    return notes
