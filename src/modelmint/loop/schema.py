"""The JSON schema of recipes, for editors that check and complete YAML."""

from typing import Any

from modelmint.loop.recipe import KEYS
from modelmint.loop.stages import verbs


def recipe_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a recipe file."""
    table = verbs()
    definitions: dict[str, Any] = {}
    stages: list[Any] = [{"enum": sorted(table)}]
    kinds: dict[str, dict[str, Any]]
    for verb in table.values():
        schema = verb.spec.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        schema["description"] = verb.about
        definitions[verb.spec.__name__] = schema
        reference: dict[str, Any] = {"anyOf": [{"$ref": f"#/$defs/{verb.spec.__name__}"}, {"type": "null"}]}
        stages.append(
            {
                "type": "object",
                "required": [verb.name],
                "additionalProperties": False,
                "properties": {
                    verb.name: reference,
                    "as": {"type": "string"},
                    "from": {"type": "object", "additionalProperties": {"type": "string"}},
                    "timeout_s": {"type": "number", "exclusiveMinimum": 0},
                    "engine": {"enum": list(verb.engines)},
                },
            }
        )
    kinds = {
        "params": {"type": "object"},
        "inputs": {"type": "object"},
        "seed": {"type": "integer", "minimum": 0},
        "stages": {"type": "array", "minItems": 1, "items": {"anyOf": stages}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Modelmint recipe",
        "type": "object",
        "required": ["stages"],
        "additionalProperties": False,
        "$defs": definitions,
        "properties": {
            key: {"description": about, **kinds.get(key, {"type": "string"})} for key, about in KEYS.items()
        },
    }
