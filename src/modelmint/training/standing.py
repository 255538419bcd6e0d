"""How a way to train stands for some rows: what decides its rank, and what is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from modelmint.core.licences import Judgement, judge
from modelmint.core.money import machine_cost
from modelmint.core.types import JSON
from modelmint.training.advice import Advice, Wishes
from modelmint.training.reasons import reason
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks.table import Task
from modelmint.training.ways import Way

MANY_ROWS = 100_000
"""From so many rows on, beginning from nothing stands beside a base."""
FOREIGN = 0.5
"""From this share of rows in languages that a base does not know, it is ranked behind all that knows them."""
UNREADABLE = 0.1
"""From this share of tokens that its tokenizer does not know, a base does not read these rows."""
NOTHING_OWED = Judgement(licence="", may_be_sold="yes", why="nothing is begun from")


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A way, and what is known of it for these rows."""

    way: Way
    spec: JSON
    sale: Judgement
    is_barred: bool
    """It may not be sold, and selling is wanted."""
    foreign_share: float | None
    tokens: JSON
    few_rows: bool
    probe: JSON | None = None
    worth: float = 0.0
    """What it reached, higher is better; 0 where not all that were tried reached something."""
    seconds: float | None = None
    seconds_are: str = ""
    in_budget: bool | None = None

    @classmethod
    def of(
        cls, way: Way, task: Task, wishes: Wishes, languages: Mapping[str, float], texts: Sequence[str], num_rows: int
    ) -> Self:
        sale = judge(way.licence) if way.licence else NOTHING_OWED
        spec = {**way.train, "task": task.name}
        foreign = None
        if way.languages and languages:
            base = {one.partition("-")[0].lower() for one in way.languages}
            foreign = sum(share for name, share in languages.items() if name not in base) / sum(languages.values())
        return cls(
            way=way,
            spec=spec,
            sale=sale,
            is_barred=wishes.sell and not sale.sellable,
            foreign_share=foreign,
            tokens=_tokens(way, task, texts) if texts else {},
            few_rows=way.from_nothing and task.has_base and num_rows < MANY_ROWS,
        )

    @property
    def estimate(self) -> JSON:
        return (self.probe or {}).get("estimate") or {}

    @property
    def is_foreign(self) -> bool:
        return (self.foreign_share or 0.0) >= FOREIGN or self.tokens.get("unknown_share", 0.0) >= UNREADABLE

    def key(self) -> tuple[object, ...]:
        """What decides, in its order; smaller is better."""
        way = self.way
        return (
            self.is_barred,
            self.is_foreign,
            bool((self.probe or {}).get("refused")),
            self.in_budget is False,
            self.few_rows,
            round(self.foreign_share or 0.0, 1),
            not way.is_here,
            self.probe is None,
            -self.worth,
            way.place,
            len(way.languages) > 1,
            way.size_bytes or 0,
            way.name,
        )

    def advice(self, rank: int, task: Task, cheap_way: JSON | None, machine_hour: str, *, default: bool) -> Advice:
        estimate, way = self.estimate, self.way
        told = Advice(
            rank=rank,
            name=way.name,
            train=way.train if default else {"task": task.name, **way.train},
            reason="",
            is_here=way.is_here,
            how_to_get=way.how_to_get,
            licence=way.licence,
            may_be_sold=self.sale.may_be_sold,
            languages=way.languages,
            size_bytes=estimate.get("weights_bytes") or way.size_bytes,
            foreign_share=None if self.foreign_share is None else round(self.foreign_share, 4),
            **self.tokens,
            seconds=self.seconds,
            most_seconds=estimate.get("most_seconds"),
            seconds_are=self.seconds_are,
            memory_bytes=estimate.get("memory_bytes"),
            cost=None if self.seconds is None else str(machine_cost(self.seconds, machine_hour)),
            served_per_s=estimate.get("scored_per_s"),
            in_budget=self.in_budget,
            expected=(self.probe or {}).get("expected"),
            failed=str((self.probe or {}).get("refused") or (self.probe or {}).get("failed") or ""),
        )
        return replace(
            told,
            reason=reason(
                told,
                self.sale,
                cheap_way,
                few_rows=self.few_rows,
                barred=self.is_barred,
                reads_them=not self.is_foreign,
            ),
        )


def _tokens(way: Way, task: Task, texts: Sequence[str]) -> JSON:
    """How its tokenizer reads the texts; nothing where it is not here."""
    if way.base is None or not (way.base.folder / "tokenizer.json").is_file():
        return {}
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(way.base.folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    unknown = getattr(tokenizer.model, "unk_token", None)
    unknown_id = tokenizer.token_to_id(unknown) if isinstance(unknown, str) else None
    read: list[list[int]] = [one.ids for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    num_tokens = sum(len(ids) for ids in read)
    num_unknown = 0 if unknown_id is None else sum(ids.count(unknown_id) for ids in read)
    limit = min(task.knobs(TrainSpec(**way.train, task=task.name)).max_tokens, way.base.max_tokens)
    num_words = sum(_num_words(text) for text in texts)
    return {
        "tokens_per_word": round(num_tokens / max(num_words, 1), 2),
        "unknown_share": round(num_unknown / max(num_tokens, 1), 4),
        "cut_share": round(sum(1 for ids in read if len(ids) + 2 > limit) / max(len(read), 1), 4),
    }


def _num_words(text: str) -> int:
    """Words between spaces; of scripts without spaces, letters."""
    return sum(max(1, sum(letter > "\u2e7f" for letter in word)) for word in text.split())
