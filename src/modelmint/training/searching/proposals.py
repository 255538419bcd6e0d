"""What to try next, what to leave early, and which knobs matter: Optuna's, over the trials that have ended.

The study is made anew from these trials each time, in memory, and each trial has a seed of its own. So what is proposed
hangs on the seed and the trials before alone, and a search that was killed goes on as if it had not been.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from modelmint.core.hashing import canonical, digest
from modelmint.core.spec import Spec
from modelmint.core.types import JSON
from modelmint.training.searching.space import is_whole
from modelmint.training.searching.spec import Range, SearchSpec
from modelmint.training.searching.trial import Trial
from modelmint.training.spec import TrainSpec

MIN_FINISHED = 5
"""So many complete trials make a median to be measured by, and importances."""
WARMUP_PERCENT = 25
MAX_RANDOM = 10
ATTEMPTS = 10
DIGITS = 4

Scores = Sequence[tuple[float, float]]
Direction = Literal["minimize", "maximize"]


class Proposals:
    """Of one search.

    Args:
        defaults: values that `train` would have without a search, of as many knobs as have one inside the space.
    """

    def __init__(
        self, spec: SearchSpec, train: TrainSpec, *, options: type[Spec] | None, defaults: JSON, seed: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._spec, self._seed, self._defaults = spec, seed, defaults
        self._space = {key: _distribution(train, key, sought, options) for key, sought in sorted(spec.space.items())}

    def propose(self, before: Sequence[Trial], numbers: Sequence[int]) -> list[JSON]:
        """Values for the trials with these numbers, none tried before; fewer where the space has no more of them."""
        study, tried = self._study(before), [trial.values for trial in before]
        proposed: list[JSON] = []
        for number in numbers:
            values = self._untried(study, number, [*tried, *proposed])
            if values is None:
                break
            proposed.append(values)
        return proposed

    def is_behind(self, before: Sequence[Trial], scores: Scores, *, higher_is_better: bool) -> bool:
        """Whether a trial with these scores so far is to be left."""
        study = self._study(before, higher_is_better=higher_is_better)
        asked = study.ask()
        for percent, score in by_percent(scores, higher_is_better=higher_is_better).items():
            asked.report(score, percent)
        return asked.should_prune()

    def importances(self, trials: Sequence[Trial]) -> dict[str, float]:
        """The share of the scores' variance that each knob explains (fANOVA, Hutter et al. 2014), the largest first.

        Empty where fewer than `MIN_FINISHED` trials are complete, or all of their scores are equal.
        """
        complete = [trial for trial in trials if trial.state == "complete"]
        varied = [key for key in self._space if len({canonical(trial.values[key]) for trial in complete}) > 1]
        if len(complete) < MIN_FINISHED or len({trial.score for trial in complete}) < 2 or not varied:
            return {}
        evaluator = FanovaImportanceEvaluator(seed=self._seed)
        found = get_param_importances(self._study(complete), evaluator=evaluator, params=varied)
        shares = {key: round(float(found.get(key, 0.0)), 4) for key in self._space}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def journal(self, trials: Sequence[Trial], file: Path) -> str:
        """The study as Optuna writes it: ``optuna-dashboard FILE`` and `optuna.load_study` read it."""
        storage = JournalStorage(JournalFileBackend(str(file)))
        study = optuna.create_study(storage=storage, study_name="search", direction=_direction(trials))
        study.add_trials([self._frozen(trial) for trial in trials if trial.state != "stopped"])
        return file.read_text(encoding="utf-8")

    def _untried(self, study: optuna.Study, number: int, tried: Sequence[JSON]) -> JSON | None:
        every = _every(self._space)
        if every is not None and len(tried) >= every:
            return None
        if number == 0 and self._defaults:
            study.enqueue_trial({key: _inner(value) for key, value in self._defaults.items()})
        for attempt in range(ATTEMPTS):
            study.sampler = self._sampler(number, attempt)
            asked = study.ask(fixed_distributions=self._space)
            values = {key: self._outer(key, asked.params[key]) for key in self._space}
            if values not in tried:
                return values
            study.tell(asked, state=TrialState.FAIL)
        return next(values for values in self._grid() if values not in tried) if every is not None else values

    def _sampler(self, number: int, attempt: int) -> BaseSampler:
        seed = int(digest([self._seed, number, attempt])[:8], 16)
        if self._spec.sampler == "random":
            return RandomSampler(seed=seed)
        most = self._spec.num_trials
        num_random = MAX_RANDOM if most is None else max(4, min(MAX_RANDOM, most // 3))
        return TPESampler(seed=seed, n_startup_trials=num_random)

    def _study(self, trials: Sequence[Trial], *, higher_is_better: bool | None = None) -> optuna.Study:
        direction = _direction(trials)
        if higher_is_better is not None:
            direction = "maximize" if higher_is_better else "minimize"
        study = optuna.create_study(direction=direction, sampler=RandomSampler(seed=0), pruner=self._pruner())
        study.add_trials([self._frozen(trial) for trial in trials if trial.state != "stopped"])
        return study

    def _pruner(self) -> BasePruner:
        if self._spec.pruning == "none":
            return NopPruner()
        return MedianPruner(n_startup_trials=MIN_FINISHED, n_warmup_steps=WARMUP_PERCENT)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """A trial that failed is one that was pruned at once: the sampler then keeps away from its values."""
        is_complete = trial.state == "complete"
        return create_trial(
            state=TrialState.COMPLETE if is_complete else TrialState.PRUNED,
            value=trial.score if is_complete else None,
            params={key: _inner(value) for key, value in trial.values.items()},
            distributions=dict(self._space),
            intermediate_values={}
            if trial.state == "failed"
            else by_percent(trial.scores, higher_is_better=trial.higher_is_better, to_the_end=is_complete),
        )

    def _outer(self, key: str, value: Any) -> Any:
        """The value itself, of a choice; a number that is not stepped has few digits, which people can copy."""
        sought, space = self._spec.space[key], self._space[key]
        if isinstance(sought, tuple):
            return next(one for one in sought if canonical(_inner(one)) == canonical(value))
        if isinstance(space, FloatDistribution) and space.step is None:
            return min(max(float(f"{value:.{DIGITS}g}"), space.low), space.high)
        return value

    def _grid(self) -> list[JSON]:
        every = [[self._outer(key, value) for value in _values(space)] for key, space in self._space.items()]
        return [dict(zip(self._space, values, strict=True)) for values in itertools.product(*every)]


def by_percent(scores: Scores, *, higher_is_better: bool, to_the_end: bool = False) -> dict[int, float]:
    """The best score so far at each per cent of the training, from the first epoch's end on.

    Trials with other numbers of epochs are so compared at the same share of their training.
    """
    better, best = (max if higher_is_better else min), None
    begins = [math.ceil(100 * share - 1e-9) for share, _ in scores]
    found = {}
    for at, (_, score) in enumerate(scores):
        best = score if best is None else better(best, score)
        is_last = at + 1 == len(scores)
        end = (101 if to_the_end else begins[at] + 1) if is_last else max(begins[at + 1], begins[at] + 1)
        found.update(dict.fromkeys(range(begins[at], end), best))
    return found


def _distribution(
    train: TrainSpec, key: str, sought: "Range | tuple[Any, ...]", options: type[Spec] | None
) -> BaseDistribution:
    if isinstance(sought, tuple):
        return CategoricalDistribution([_inner(choice) for choice in sought])
    if is_whole(train, key, sought, options):
        return IntDistribution(int(sought.low), int(sought.high), log=sought.log, step=int(sought.step or 1))
    step = None if sought.step is None else float(sought.step)
    return FloatDistribution(float(sought.low), float(sought.high), log=sought.log, step=step)


def _inner(value: Any) -> Any:
    """What Optuna keeps of a value: lists and mappings as text."""
    return canonical(value).decode() if isinstance(value, list | tuple | dict) else value


def _values(space: BaseDistribution) -> Sequence[Any]:
    if isinstance(space, CategoricalDistribution):
        return space.choices
    if isinstance(space, IntDistribution):
        return range(space.low, space.high + 1, space.step)
    return []


def _every(space: Mapping[str, BaseDistribution]) -> int | None:
    """How many combinations there are; None where some knob takes any number."""
    if any(isinstance(one, FloatDistribution) for one in space.values()):
        return None
    return math.prod(len(_values(one)) for one in space.values())


def _direction(trials: Sequence[Trial]) -> Direction:
    scored = [trial for trial in trials if trial.score is not None]
    return "minimize" if scored and not scored[0].higher_is_better else "maximize"
