"""The parameters of a search."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from modelmint.core.errors import InputError
from modelmint.core.money import money as read_money
from modelmint.core.spec import Spec
from modelmint.training.spec import TrainSpec

DEFAULT_TRIALS = 20


class Range(Spec):
    """Numbers between two ends, both of which may be taken; whole ones where the knob takes no others."""

    low: int | float
    """The lower end."""
    high: int | float
    """The upper end."""
    log: bool = False
    """Small numbers are as likely as large ones by their order of magnitude: for learning rates."""
    step: int | float | None = Field(default=None, gt=0)
    """Only so far apart, counted from `low`."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high; got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 with log, since 0 has no order of magnitude; got {self.low}")
        if self.log and self.step is not None:
            raise ValueError(f"step must be left out with log; got {self.step}")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(
                f"step must fit between low and high, which are {self.high - self.low} apart; got {self.step}"
            )
        return self


Choices = Annotated[tuple[Any, ...], Field(min_length=2)]
Sought = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")],
    Discriminator(lambda given: "choices" if isinstance(given, list | tuple) else "range"),
]


class SearchSpec(Spec):
    """Try values of the knobs of `train`, each by a whole training, and give the best to the train stage."""

    train: TrainSpec | None = None
    """The training whose knobs are searched; filled from the recipe's train stage, of several the last."""
    space: dict[str, Sought] = Field(min_length=1)
    """What is searched: knobs of `train` by name, each with a range or a list of choices, like
    {learning_rate: {low: 0.00001, high: 0.001, log: true}, batch_size: [16, 32]}. A dot goes inside: `method.rank`,
    `architecture.width`, `options.masked`. What is searched must not be set in `train`."""
    trials: int | None = Field(default=None, ge=1, le=10_000)
    """The budget in trials. Of the budgets the first that is reached ends the search; with none of them it is 20 trials."""
    minutes: float | None = Field(default=None, gt=0)
    """The budget in time. A trial that is under way then is left; the first of all goes to its end."""
    money: str | None = None
    """The budget in money, at this machine's price, like `0.50 USD`."""
    sampler: Literal["tpe", "random"] = "tpe"
    """What proposes values: `tpe` learns from the trials before (Bergstra et al. 2011; the first are random), `random`
    does not."""
    pruning: Literal["median", "none"] = "median"
    """`median` leaves a trial whose best score is below the median of what the finished ones had reached at the same
    share of their training (Golovin et al. 2017): from a quarter of it on, when five have finished."""
    defaults_first: bool = True
    """The first trial has the values that `train` would have without a search, so that the best is compared with them."""
    at_once: int = Field(default=1, ge=1, le=256)
    """How many trials are proposed together, none knowing how the others end; on Ray they run side by side. It changes
    what is proposed, so it is no matter of where the search runs."""

    @field_validator("money")
    @classmethod
    def _is_money(cls, given: str | None) -> str | None:
        if given is not None:
            try:
                read_money(given)
            except InputError as error:
                raise ValueError(error.message.removeprefix("price: ")) from error
        return given

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        from modelmint.training.searching.space import check_space

        try:
            check_space(self.space, self.train)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def num_trials(self) -> int | None:
        """The most trials; None is no limit but time or money."""
        return DEFAULT_TRIALS if self.trials is None and self.minutes is None and self.money is None else self.trials
