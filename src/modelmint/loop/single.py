"""A plan of one stage, for notebooks, scripts and the command line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from modelmint.core.errors import RecipeError
from modelmint.core.spec import Spec
from modelmint.core.types import Artifact
from modelmint.loop.document import Document
from modelmint.loop.plan import Plan, Step
from modelmint.loop.recipe import compile_document
from modelmint.loop.stages import verbs


def stage_plan(spec: Spec, inputs: Mapping[str, Artifact | Sequence[Artifact]], seed: int) -> Plan:
    """One stage, found by the type of its spec, on given artifacts.

    Raises:
        RecipeError: no verb has this spec, or an input is missing or unknown.
    """
    verb = next((verb for verb in verbs().values() if verb.spec is type(spec)), None)
    if verb is None:
        raise RecipeError(f"spec: no verb takes a {type(spec).__name__}", parameter="spec")
    ids = {
        role: [item.id for item in ([given] if isinstance(given, Artifact) else given)]
        for role, given in inputs.items()
    }
    for role in [*ids, *(role.name for role in verb.inputs.values() if not role.optional and not role.many)]:
        if role not in verb.inputs or role not in ids:
            raise RecipeError(
                f"inputs: {verb.name} takes {', '.join(verb.inputs)}; got {', '.join(ids) or 'none'}", parameter=role
            )
    wiring = {role: [{"artifact": item} for item in ids.get(role, [])] for role in verb.inputs}
    step = Step(name=verb.name, verb=verb.name, version=verb.version, spec=spec.identity(), wiring=wiring)
    return Plan(name=verb.name, seed=seed, params={}, inputs=ids, steps=[step])


def verb_plan(verb: str, inputs: Mapping[str, Sequence[str]], settings: Sequence[str], *, seed: int = 17) -> Plan:
    """One stage, by the name of its verb, on artifacts given by id or name.

    Args:
        inputs: role -> ids.
        settings: ``key=value`` of the spec, as with ``--set``; paths are relative to the working folder.

    Raises:
        RecipeError: as for a recipe of this one stage.
    """
    value = {
        "name": verb,
        "seed": seed,
        "inputs": {role: list(ids) for role, ids in inputs.items()},
        "stages": [verb],
    }
    document = Document(file=Path("stage"), value=value, lines={})
    return compile_document(document, settings=[f"{verb}.{setting}" for setting in settings])
