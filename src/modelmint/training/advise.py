"""Which base to begin from: every way to train for these rows, ranked, with the reason, and the first of them tried.

The order is by what decides, one after another, and no sum of points (`standing.Standing.key`): may it be sold, does it
know the language, is it in the budget, is it more than nothing where rows are few, is it here, what did it reach.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError, InputError
from modelmint.core.figures import is_lower_better
from modelmint.core.forms import contents, form_of, text_paths
from modelmint.core.types import JSON, Dataset
from modelmint.training.advice import Advised, Wishes
from modelmint.training.nearby import nearby
from modelmint.training.probing import Question, probe
from modelmint.training.spec import TrainSpec
from modelmint.training.standing import Standing
from modelmint.training.tasks.table import task_of
from modelmint.training.ways import Way, ways

MIN_PROBE_S = 5.0
FIRST_SHARE = 0.6
SAMPLE_ROWS, SAMPLE_BYTES = 8_000, 64 << 20
TABLE_ROWS = 20_000
SHARES = (0.8, 0.1)
"""Rows that will be trained on, and validated on, where the source declares no split."""
NUM_READ = 500
"""Rows that a tokenizer is tried on."""
MIN_LANGUAGE_SHARE = 0.01


def advise(
    data: Dataset,
    wishes: Wishes,
    *,
    languages: Mapping[str, float],
    folders: Sequence[Path],
    num_threads: int,
    machine_hour: str,
    say: Callable[[int, int, str], None],
) -> Advised:
    """Rank every way to train for these rows; nothing is downloaded.

    Args:
        languages: the share of rows in each (ISO 639-1); empty where rows hold no text.
        folders: where else bases lie.

    Raises:
        DataError: there are no rows, or no task learns from their form.
        InputError: there is no such task, or nothing to begin from for it.
    """
    began_s = monotonic_s()
    if not data.num_rows:
        raise DataError(f"dataset: must hold rows; {data.name} has none", parameter="dataset", remedy="Collect some.")
    task = task_of(TrainSpec(task=wishes.task), data, "dataset")
    num_train, num_validation = _counts(data)
    sample = _sampled(data, TABLE_ROWS if task.forms[0].startswith("tabular") else SAMPLE_ROWS)
    known = {name: share for name, share in languages.items() if name != "und" and share >= MIN_LANGUAGE_SHARE}
    found, unusable = nearby(folders) if task.has_base else ({}, {})
    every = ways(task, found, language=max(known, key=known.__getitem__, default=""), only_local=wishes.only_local)
    if not every:
        raise InputError(
            f"only_local: must be left out for {task.name}, which begins from a base that writes, and none is on this machine",
            parameter="only_local",
            remedy="Without it, bases are named that can be downloaded; or put one into MODELMINT_HOME/bases.",
        )
    texts = _texts(sample) if known else []
    facts = [Standing.of(way, task, wishes, known, texts, num_train) for way in every]
    asked = Question(
        train=None, num_rows=num_train, num_validation_rows=num_validation, num_threads=num_threads,
        machine_hour=machine_hour, limit_s=wishes.limit_s,
    )  # fmt: skip
    probed, cheap_way = _probed(sorted(facts, key=lambda one: one.key()), asked, sample, wishes, say, began_s)
    facts = sorted((_scaled(one, probed, wishes) for one in _weighed(probed)), key=lambda one: one.key())
    default = task.name == task_of(TrainSpec(), data).name
    return Advised(
        task=task.name,
        num_rows=num_train,
        languages=dict(languages),
        cheap_way=cheap_way,
        advice=[one.advice(rank, task, cheap_way, machine_hour, default=default) for rank, one in enumerate(facts, 1)],
        unusable=unusable,
        took_s=round(monotonic_s() - began_s, 1),
    )


def _probed(
    facts: Sequence[Standing],
    asked: Question,
    sample: Dataset,
    wishes: Wishes,
    say: Callable[[int, int, str], None],
    began_s: float,
) -> tuple[list[Standing], JSON | None]:
    """The first that are here are tried, each within its part of the time."""
    chosen = [at for at, one in enumerate(facts) if one.way.is_here and not one.is_barred][: wishes.num_probed]
    tried, total = list(facts), len(chosen) + 1
    if not chosen:
        return tried, None
    for done, at in enumerate(chosen):
        say(done, total, f"a few steps of {facts[at].way.name}")
        part_s = _part(wishes.limit_s, began_s, total - done)
        tried[at] = replace(facts[at], probe=probe(replace(asked, train=facts[at].spec, limit_s=part_s), sample))
    say(total - 1, total, "the cheap way")
    cheap = probe(replace(asked, limit_s=_part(wishes.limit_s, began_s, 1)), sample).get("expected")
    say(total, total, "")
    return tried, cheap


def _part(limit_s: float, began_s: float, num_left: int) -> float:
    """Of the time that is left the next may take most: what it does not need, those after it have."""
    left_s = limit_s - (monotonic_s() - began_s)
    return max(MIN_PROBE_S, left_s if num_left == 1 else left_s * FIRST_SHARE)


def _weighed(facts: Sequence[Standing]) -> list[Standing]:
    """With what each reached, where all of its kind that were tried reached something, in one measure."""
    weighed = list(facts)
    for from_nothing in (True, False):
        tried = {at: one.probe for at, one in enumerate(facts) if one.probe and one.way.from_nothing == from_nothing}
        reached = {at: found["expected"] for at, found in tried.items() if found.get("expected")}
        if len(reached) == len(tried) and len({found["metric"] for found in reached.values()}) == 1:
            for at, found in reached.items():
                sign = -1 if is_lower_better(found["metric"]) else 1
                weighed[at] = replace(facts[at], worth=sign * float(found["value"]))
    return weighed


def _scaled(one: Standing, every: Sequence[Standing], wishes: Wishes) -> Standing:
    """With its time: as probed, or that of the nearest probed base by how much both compute for a token."""
    seconds, are = one.estimate.get("seconds"), "measured"
    work = _work(one.way)
    if seconds is None and work:
        likes = [each for each in every if each.estimate and _work(each.way)]
        if likes:
            like = min(likes, key=lambda each: abs(_work(each.way) - work))
            parts = like.estimate["parts"]
            seconds = (
                parts["loading"] + (parts["steps"] + parts["validation"]) * work / _work(like.way) + parts["saving"]
            )
            are = "scaled"
    if seconds is None:
        return one
    fits = None if wishes.seconds is None else seconds <= wishes.seconds
    return replace(one, seconds=round(seconds, 1), seconds_are=are, in_budget=fits)


def _work(way: Way) -> int:
    return 0 if way.from_nothing else way.num_layers * way.hidden_size**2


def _counts(data: Dataset) -> tuple[int, int]:
    """Rows to train on and to validate on."""
    if "_split" not in data.facts["columns"]:
        return tuple(max(1, round(data.num_rows * share)) for share in SHARES)  # type: ignore[return-value]
    splits = tables.column(data, "_split")
    num_train, num_validation = (splits.count(name) for name in ("train", "validation"))
    held_out = num_validation or round(num_train * SHARES[1])
    return max(1, num_train - (0 if num_validation else held_out)), held_out


def _sampled(data: Dataset, max_rows: int) -> Dataset:
    """Rows to try ways on, none of them from a test set that the source declares."""
    sample = tables.sample(data, max_rows=max_rows, max_bytes=SAMPLE_BYTES)
    if "_split" not in sample.facts["columns"]:
        return sample
    table = tables.read(sample)
    kept = [at for at, split in enumerate(table.column("_split").to_pylist()) if split != "test"]
    return tables.in_memory(sample.name, table.take(kept), sample.facts)


def _texts(sample: Dataset) -> list[str]:
    form = form_of(sample)
    if not text_paths(form, list(sample.facts["columns"])):
        return []
    found: list[str] = []
    for batch in tables.batches(sample):
        found += contents(batch.slice(0, NUM_READ - len(found)), form)
        if len(found) >= NUM_READ:
            break
    return found
