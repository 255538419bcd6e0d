"""The tuning methods by name, each with what it can be told, and the knobs that it needs otherwise.

The defaults are those with which a method does not collapse, found on Banking77 from the starter base
(benchmarks/peft.py, docs/log.md): methods that train little need learning rates ten to a hundred times higher.
"""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from modelmint.core.spec import Spec


class Full(Spec):
    """Train every weight of the base."""

    defaults: ClassVar[dict[str, Any]] = {}
    name: Literal["full"] = "full"


class Freeze(Spec):
    """Train the upper layers of the base and leave the rest as it is."""

    defaults: ClassVar[dict[str, Any]] = {}
    name: Literal["freeze"] = "freeze"
    num_layers: int = Field(default=2, ge=0)
    """How many of the uppermost layers are trained; 0 trains the new layer on top alone."""


class Lora(Spec):
    """Train a product of two thin matrices beside each linear layer; it is added to the layer's weights at the end.

    `lora` (Hu et al. 2021); `rslora` scales by the root of the rank (Kalajdzievski 2023); `dora` trains the length of
    each column apart from its direction (Liu et al. 2024).
    """

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 2e-3, "head_learning_rate": 3e-3, "encoder_dropout": 0.0}
    name: Literal["lora", "rslora", "dora"] = "lora"
    rank: int = Field(default=16, ge=1, le=1024)
    """How thin the matrices are."""
    alpha: int = Field(default=32, ge=1)
    """The product is scaled by alpha / rank, of `rslora` by alpha / root of rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the thin matrices."""
    targets: tuple[str, ...] = ()
    """Names that linear layers end in; none is all linear layers."""


class QLora(Spec):
    """LoRA above a base whose linear layers are kept in four bits a weight (NF4): a seventh of their memory
    (Dettmers et al. 2023). The extra `qlora`. What was trained is added to the unpacked weights at the end.
    """

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 2e-3, "head_learning_rate": 3e-3, "encoder_dropout": 0.0}
    name: Literal["qlora"] = "qlora"
    rank: int = Field(default=16, ge=1, le=1024)
    """How thin the matrices are."""
    alpha: int = Field(default=32, ge=1)
    """The product is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the thin matrices."""
    targets: tuple[str, ...] = ()
    """Names that linear layers end in; none is all linear layers."""


class AdaLora(Spec):
    """LoRA whose ranks are moved during training to the layers that need them (Zhang et al. 2023)."""

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 3e-3, "head_learning_rate": 3e-3, "encoder_dropout": 0.0}
    name: Literal["adalora"] = "adalora"
    rank: int = Field(default=16, ge=1, le=1024)
    """The mean rank at the end; it begins with half as much again."""
    alpha: int = Field(default=32, ge=1)
    """The product is scaled by alpha / rank."""
    orthogonality: float = Field(default=0.1, ge=0)
    """How much the loss counts that the thin matrices are not orthogonal."""


class Ia3(Spec):
    """Train one factor a number of the keys, the values and the inner layer (Liu et al. 2022)."""

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 2e-2, "head_learning_rate": 5e-3, "encoder_dropout": 0.0}
    name: Literal["ia3"] = "ia3"


class Adapter(Spec):
    """Train a narrow layer behind each block of the base (Houlsby et al. 2019, as placed by Pfeiffer et al. 2021)."""

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 2e-3, "head_learning_rate": 3e-3, "encoder_dropout": 0.0}
    name: Literal["adapter"] = "adapter"
    width: int = Field(default=48, ge=1, le=16_384)
    """Numbers in the narrow layer."""


class Prefix(Spec):
    """Train keys and values that every layer attends to before those of the text (Li and Liang 2021)."""

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 2e-2, "head_learning_rate": 5e-3, "encoder_dropout": 0.0}
    name: Literal["prefix"] = "prefix"
    num_tokens: int = Field(default=20, ge=1, le=1024)
    """Invisible tokens before the text."""


class Prompt(Spec):
    """Train the embeddings of invisible tokens before the text (Lester et al. 2021)."""

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 5e-2, "head_learning_rate": 5e-3, "encoder_dropout": 0.0}
    name: Literal["prompt"] = "prompt"
    num_tokens: int = Field(default=20, ge=1, le=1024)
    """Invisible tokens before the text."""


class PTuning(Spec):
    """Train a small network that makes the embeddings of invisible tokens before the text (Liu et al. 2021)."""

    defaults: ClassVar[dict[str, Any]] = {"learning_rate": 5e-3, "head_learning_rate": 5e-3, "encoder_dropout": 0.0}
    name: Literal["p-tuning"] = "p-tuning"
    num_tokens: int = Field(default=20, ge=1, le=1024)
    """Invisible tokens before the text."""
    width: int = Field(default=128, ge=1, le=16_384)
    """Numbers in the network's inner layers."""


AnyMethod: TypeAlias = Full | Freeze | Lora | QLora | AdaLora | Ia3 | Adapter | Prefix | Prompt | PTuning
Method = Annotated[AnyMethod, Field(discriminator="name")]
