"""Search for the values of knobs with which a training scores best on the validation rows.

Each trial is a whole training by the very code of `train`, with the same seed: trained again with its values, the best
has the score that it had here. The test rows play no part.
"""

import gc
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelmint.core.errors import DataError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.training.beginnings import Beginning
from modelmint.training.making import peak_memory_bytes
from modelmint.training.searching.budget import Budget
from modelmint.training.searching.page import search_page
from modelmint.training.searching.space import check_reads, check_space, default_values
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.searching.study import study_facts
from modelmint.training.searching.trial import Trial, best_of, kept
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import task_of
from modelmint.training.train import TrainInputs
from modelmint.training.train import fingerprint as fingerprint_of_training

if TYPE_CHECKING:
    from modelmint.training.searching.proposals import Proposals
    from modelmint.training.searching.spread import Spread
    from modelmint.training.searching.trying import Bench

MAX_FAILED = 5
"""So many failures, and no trial that did not fail, end the search: the values are not what is wrong."""


@dataclass(frozen=True, kw_only=True)
class SearchInputs:
    train: Dataset
    validation: Dataset
    start: Model | None = None


@dataclass(frozen=True, kw_only=True)
class SearchOutputs:
    """`search.facts["best"]["values"]` are what `train` takes over."""

    search: Report


def search(spec: SearchSpec, inputs: SearchInputs, ctx: StageContext) -> SearchOutputs:
    """Propose, train, score, until a budget is reached. Killed, it goes on: what has ended is not trained again.

    With a budget in trials alone the same study comes out each time, however often it was interrupted.

    Raises:
        DataError: the rows are of a form that no task learns from, or there are none to validate on.
        InputError: a knob is none of the task's, or a value does not fit it.
        StageError: no trial ended well.
    """
    budget = Budget(spec, machine_hour=ctx.machine_hour, folder=ctx.checkpoints)
    bench = _bench(spec, inputs, ctx)
    from modelmint.training.searching.proposals import Proposals

    defaults = default_values(spec.space, bench.train, bench.knobs(), bench.options)
    proposals = Proposals(spec, bench.train, options=bench.options, defaults=defaults, seed=ctx.seed)
    trials, ended_by = _Search(spec, bench, proposals, budget, ctx).whole()
    facts = study_facts(
        spec,
        trials,
        task=bench.task.name,
        base=bench.beginning.base,
        num_rows=(inputs.train.num_rows, inputs.validation.num_rows),
        ended_by=ended_by,
        importances=proposals.importances(trials),
        has_defaults=spec.defaults_first and set(defaults) == set(spec.space),
    )
    measured = {
        "seconds": round(budget.spent_s, 3),
        "cost": budget.cost,
        "memory_bytes": peak_memory_bytes(),
        "trial_seconds": [trial.seconds for trial in trials],
    }
    renderings = {
        "report.html": search_page(facts, measured, name=inputs.train.name),
        "optuna.log": proposals.journal(trials, ctx.scratch / "optuna.log"),
    }
    return SearchOutputs(search=ctx.desk.report("search", facts, measured=measured, renderings=renderings))


def fingerprint(spec: SearchSpec) -> str:
    """The digest of the base."""
    return fingerprint_of_training(spec.train or TrainSpec())


def _bench(spec: SearchSpec, inputs: SearchInputs, ctx: StageContext) -> "Bench":
    """What all trials share, once it is sure that they can be."""
    train = spec.train or TrainSpec()
    task = task_of(train, inputs.train)
    task_of(train, inputs.validation, "validation")
    if not inputs.validation.num_rows:
        raise DataError(
            "validation: must have rows, by which the trials are compared; it has none",
            parameter="validation",
            remedy="Set split.validation, for example to 0.1.",
        )
    check_space(spec.space, train)
    import torch

    from modelmint.training.searching.trying import Bench

    torch.set_num_threads(ctx.num_threads)
    ctx.say(0, 0, "reading rows and base")
    options = getattr(task.learner(), "Options", None)
    check_reads(spec.space, train, task, options)
    return Bench(
        task=task,
        train=train,
        options=options,
        inputs=TrainInputs(train=inputs.train, validation=inputs.validation, start=inputs.start),
        beginning=Beginning.of(task.begun(train), inputs.start),
        seed=ctx.seed,
    )


class _Search:
    """The trials one after another, `at_once` of them proposed together; each that ends is written down."""

    def __init__(
        self, spec: SearchSpec, bench: "Bench", proposals: "Proposals", budget: Budget, ctx: StageContext
    ) -> None:
        self._spec, self._bench, self._proposals, self._budget, self._ctx = spec, bench, proposals, budget, ctx
        self._folder = ctx.checkpoints / "trials"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._kept = kept(self._folder)
        self._spread: Spread | None = None

    def whole(self) -> tuple[list[Trial], str]:
        """All trials by their numbers, and what ended the search: a budget's name, or ``space`` where it has no more.

        Raises:
            StageError: none of them ended well.
        """
        gc.freeze()  # what is there now need not be looked through after each trial for what that left behind
        try:
            with self._engine():
                return self._whole()
        finally:
            gc.unfreeze()

    @contextmanager
    def _engine(self) -> Iterator[None]:
        if self._ctx.ray_address is None:
            yield
            return
        from modelmint.training.searching.spread import spread

        with spread(self._spec, self._bench, self._ctx, self._ctx.ray_address) as self._spread:
            yield

    def _whole(self) -> tuple[list[Trial], str]:
        trials, ended_by = list[Trial](), ""
        while not ended_by:
            numbers = self._numbers(len(trials))
            known = [self._kept[number] for number in numbers if number in self._kept]
            spent = self._budget.ended_by() if trials else None
            if not numbers:
                ended_by = "trials"
            elif len(known) == len(numbers):
                trials += known
            elif spent:
                trials, ended_by = trials + known, spent
            elif proposed := self._proposals.propose(trials, numbers):
                trials += self._wave(trials, dict(zip(numbers, proposed, strict=False)))
                _refuse_hopeless(trials)
            else:
                ended_by = "space"
        if best_of(trials) is None:
            raise _hopeless(trials)
        return trials, ended_by

    def _numbers(self, first: int) -> range:
        """Of the trials that are proposed together, of which none knows how the others end."""
        most = self._spec.num_trials
        return range(first, first + self._spec.at_once if most is None else min(first + self._spec.at_once, most))

    def _wave(self, before: Sequence[Trial], proposed: dict[int, JSON]) -> list[Trial]:
        if self._spread is not None:
            return self._spread_out(self._spread, before, proposed)
        wave = list[Trial]()
        for number, values in proposed.items():
            if number and number not in self._kept and self._budget.ended_by():
                break
            wave.append(self._kept.get(number) or self._one(before, number, values))
        return wave

    def _spread_out(self, spread: "Spread", before: Sequence[Trial], proposed: dict[int, JSON]) -> list[Trial]:
        left = {number: values for number, values in proposed.items() if number not in self._kept}
        made = spread.run(
            before,
            left,
            left_s=self._budget.left_s,
            saying=lambda number: self._saying(before, number),
            note=self._budget.note,
        )
        self._budget.note(now=True)
        for number in left:
            shutil.rmtree(self._folder / f"{number:05d}", ignore_errors=True)
        ended = {trial.number: trial for trial in made}
        return [self._kept.get(number) or ended[number] for number in proposed]

    def _one(self, before: Sequence[Trial], number: int, values: JSON) -> Trial:
        from modelmint.training.searching.trying import SpentError, try_values

        def is_behind(scores: Sequence[tuple[float, float]], higher_is_better: bool) -> bool:
            return self._proposals.is_behind(before, scores, higher_is_better=higher_is_better)

        def check() -> None:
            self._ctx.check()
            self._budget.note()
            if number and self._budget.ended_by():  # the first goes to its end: there is then something to give
                raise SpentError

        folder = self._folder / f"{number:05d}"
        trial = try_values(
            self._bench,
            number,
            values,
            checkpoints=folder,
            is_behind=is_behind,
            say=self._saying(before, number),
            check=check,
        )
        self._budget.note(now=True)
        trial.keep(self._folder)
        shutil.rmtree(folder, ignore_errors=True)
        gc.collect()
        return trial

    def _saying(self, before: Sequence[Trial], number: int) -> Callable[[int, int, str], None]:
        """Progress of a trial as progress of the search: by trials, or by time where that alone ends it."""
        most, best = self._spec.num_trials, best_of(before)
        which = f"trial {number + 1}" + ("" if most is None else f" of {most}")
        so_far = f", best {best.score:.4g}" if best and best.score is not None else ""

        def say(done: int, total: int, message: str) -> None:
            share = done / total if total else 0.0
            if most is not None:
                at, end = round(100 * (number + share)), 100 * most
            else:
                at, end = round(self._budget.spent_s), round(self._budget.limit_s or 0)
            self._ctx.say(at, end, f"{which}, {message}{so_far}")

        return say


def _refuse_hopeless(trials: Sequence[Trial]) -> None:
    if len(trials) >= MAX_FAILED and all(trial.state == "failed" for trial in trials):
        raise _hopeless(trials)


def _hopeless(trials: Sequence[Trial]) -> StageError:
    first = next((trial for trial in trials if trial.why), None)
    return StageError(
        f"space: must have values with which a training ends well; all {len(trials)} trials failed"
        + (f", the first with: {first.why}" if first else ""),
        parameter="space",
        remedy="Try one training without the search, then search around its values.",
    )
