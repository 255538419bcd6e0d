"""How stages meet: an input takes the newest earlier output of its name, unless the recipe's `from` says otherwise."""

from collections.abc import Mapping, Sequence

from modelmint.loop.document import Document
from modelmint.loop.plan import Ref, Step
from modelmint.loop.stages import Role, Verb


def wire(
    document: Document,
    table: Sequence[Verb],
    steps: Sequence[Step],
    sources: Sequence[Mapping[str, str]],
    inputs: Mapping[str, Sequence[str]],
) -> list[Step]:
    """Give every step its inputs.

    Args:
        sources: for each step, role -> ``stage.role`` or ``stage`` as its `from` says.
        inputs: role -> artifact ids that the recipe starts from.

    Raises:
        RecipeError: a stage's name stands twice, an input has no source, or `from` names none.
    """
    made: dict[str, list[Ref]] = {
        role: [{"artifact": identifier} for identifier in ids] for role, ids in inputs.items()
    }
    by_stage: dict[str, Mapping[str, Role]] = {}
    wired = []
    for index, (verb, step, chosen) in enumerate(zip(table, steps, sources, strict=True)):
        path = ("stages", index)
        if step.name in by_stage:
            raise document.error(
                path, f"the name {step.name} stands twice", remedy="Give one of the two a name of its own with `as:`."
            )
        for name in chosen:
            if name not in verb.inputs:
                raise document.error(
                    (*path, "from", name), f"must be an input of {verb.name}: {', '.join(verb.inputs)}; got {name}"
                )
        wiring = {}
        for role in verb.inputs.values():
            refs = (
                [_chosen(document, (*path, "from", role.name), chosen[role.name], role, by_stage)]
                if role.name in chosen
                else made.get(role.name, [])
            )
            if not refs and not role.optional and not role.many:
                raise document.error(
                    path,
                    f"{step.name} needs a {role.kind.__name__.lower()} named {role.name}, and no earlier stage makes one",
                    remedy=f"Put one of these before it: {_makers(role)}; or name an artifact: inputs: {{{role.name}: ID}}.",
                )
            wiring[role.name] = refs if role.many else refs[-1:]
        wired.append(step.with_wiring(wiring))
        by_stage[step.name] = verb.outputs
        for output in verb.outputs:
            made.setdefault(output, []).append({"stage": step.name, "role": output})
    return wired


def _chosen(
    document: Document, path: tuple[str | int, ...], source: str, role: Role, by_stage: Mapping[str, Mapping[str, Role]]
) -> Ref:
    stage, _, output = source.partition(".")
    output = output or role.name
    if output not in by_stage.get(stage, {}):
        possible = [f"{name}.{known}" for name, outputs in by_stage.items() for known in outputs]
        raise document.error(
            path, f"must be an earlier stage's output of {', '.join(possible) or '(none)'}; got {source}"
        )
    return {"stage": stage, "role": output}


def _makers(role: Role) -> str:
    from modelmint.loop.stages import verbs

    return ", ".join(verb.name for verb in verbs().values() if role.name in verb.outputs) or "(no verb makes one)"
