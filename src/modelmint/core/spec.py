"""The base of every stage's spec: frozen, keyword-only, validated; unknown keys are refused.

A field's `description` is its help in the CLI, the JSON schema, the console form and the reference page.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Spec(BaseModel):
    """One stage's parameters. Rules over pairs of fields live in the owner's model validators."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def keys(cls) -> Mapping[str, FieldInfo]:
        """The fields by the names that a recipe gives them: `alias` where Python has the word for itself (``try``)."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    def identity(self) -> dict[str, Any]:
        """The JSON that takes part in the stage's identity."""
        return self.model_dump(mode="json", by_alias=True)
