"""The ways to learn from a table, by name, with what each can be told."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from modelmint.core.spec import Spec


class Boosting(Spec):
    """Gradient boosted trees (LightGBM, Ke et al. 2017): categories and missing cells as they are."""

    name: Literal["boosting"] = "boosting"
    num_rounds: int = Field(default=2_000, ge=1, le=100_000)
    """Trees at most (a tree a label, where there are more than two). With too few validation rows to stop by, 200."""
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    """How much of each tree counts."""
    num_leaves: int = Field(default=8, ge=2, le=4_096)
    """Leaves of a tree: more find finer rules, and learn more by heart."""
    min_leaf_rows: int = Field(default=20, ge=1)
    """Rows that a leaf must hold."""
    columns_share: float = Field(default=0.5, gt=0, le=1)
    """The share of the columns that each tree may look at."""
    rows_share: float = Field(default=0.8, gt=0, le=1)
    """The share of the rows that each tree learns from."""
    l2: float = Field(default=5.0, ge=0)
    """What pulls the leaves towards zero."""
    patience: int = Field(default=100, ge=1)
    """Stop after so many trees without a better validation loss."""


class Linear(Spec):
    """Logistic regression, or ridge for a number: one coefficient a number and a category."""

    name: Literal["linear"] = "linear"
    strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), min_length=1
    )
    """How freely the coefficients may grow (the inverse of their penalty); the validation rows choose one."""


class Network(Spec):
    """A small neural network: numbers scaled, categories as vectors, two hidden layers. The loop trains it."""

    name: Literal["network"] = "network"
    width: int = Field(default=128, ge=4, le=8_192)
    """Numbers of a hidden layer."""
    num_layers: int = Field(default=2, ge=1, le=16)
    """Hidden layers."""


def _by_name(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


class TableOptions(Spec):
    """What the tasks of tables alone know."""

    model: Annotated[Annotated[Boosting | Linear | Network, Field(discriminator="name")], BeforeValidator(_by_name)] = (
        Field(default_factory=Boosting)
    )
    """How to learn: `boosting`, `linear` or `network`, by name or with its sizes."""
