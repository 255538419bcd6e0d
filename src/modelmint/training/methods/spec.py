"""The tuning methods by name, each with what it can be told."""

from typing import Annotated, Any, ClassVar, Literal

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


Method = Annotated[Full | Freeze, Field(discriminator="name")]
