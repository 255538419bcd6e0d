"""How a run runs: stage by stage, each one taken from the catalog where its identity is known, else run in its own process.

What is here is called by `loop/durable.py`, which remembers the finished stages; each function may be called again after
a crash and then does no harm.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import Draft
from modelmint.catalog.overrides import overrides_of
from modelmint.core.clock import monotonic_s, now
from modelmint.core.errors import CancelledRunError, GateError, ModelmintError, StageError
from modelmint.core.hashing import identity
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Report
from modelmint.loop.plan import Plan, Step
from modelmint.loop.runs import ENDED, finish_run, run_row, stage_rows, update_run, update_stage
from modelmint.loop.stages import Verb, call, verbs
from modelmint.loop.supervise import stage_folder, supervise
from modelmint.loop.tracking.track import at_end
from modelmint.loop.turns import in_turn

OVERRIDES = "overrides"
"""The input of verbs that read what a person let pass in the same run."""


def begin(catalog: Catalog, run: str, worker: str) -> Plan | None:
    """Mark a run as running; None when it has ended meanwhile."""
    row = run_row(catalog, run)
    if row["status"] in ENDED:
        return None
    update_run(catalog, run, status="running", worker=worker, started_at=row["started_at"] or now())
    return Plan.from_json(row["plan"])


def run_stage(catalog: Catalog, run: str, plan: Plan, position: int) -> JSON:
    """Run one stage of a run, or take it from the catalog.

    Returns:
        ``{"status": "succeeded" | "refused" | "failed" | "cancelled", "error": {...} | None}``. It raises nothing that the
        stage raised, so that the durable engine keeps an answer and not an exception.

    What stands before a gate that was overridden in this run is not run again, whatever has changed outside since.
    """
    step = plan.steps[position]
    body: JSON | None = None
    try:
        if any(position <= one.position for one in overrides_of(catalog, run)):
            return {"status": "succeeded", "error": None}
        if run_row(catalog, run)["cancel_requested"]:
            raise CancelledRunError(f"{step.name}: cancelled before it began")
        _execute(catalog, run, plan, position)
    except CancelledRunError as error:
        status, body = "cancelled", error.to_dict()
    except GateError as error:
        status, body = "refused", error.to_dict()
    except ModelmintError as error:
        status, body = "failed", error.to_dict()
    else:
        status = "succeeded"
    update_stage(catalog, run, position, status=status)
    return {"status": status, "error": body}


def broke(catalog: Catalog, run: str, position: int, error: Exception) -> JSON:
    """Mark a stage as failed whose running itself broke; answers as `run_stage` does."""
    body = StageError(
        f"{type(error).__name__}: {error}", remedy=f"The log is at {catalog.settings.logs / 'worker.log'}."
    ).to_dict()
    update_stage(catalog, run, position, status="failed")
    return {"status": "failed", "error": body}


def finish(catalog: Catalog, run: str, answer: JSON) -> None:
    """Set the run's end from its last stage's answer, when the trackers that were asked for know of it."""
    at_end(catalog, run, answer["status"])
    finish_run(catalog, run, answer["status"], answer["error"])


def _execute(catalog: Catalog, run: str, plan: Plan, position: int) -> None:
    step, started = plan.steps[position], monotonic_s()
    verb = verbs()[step.verb]
    update_stage(catalog, run, position, status="running", started_at=now(), message="")
    inputs = _resolve(catalog, run, step)
    spec = _spec(verb, step)
    outside = str(call(verb.fingerprint, spec)) if verb.fingerprint else ""
    key = identity(
        stage=verb.name,
        version=verb.version,
        spec=step.spec,
        seed=plan.seed,
        fingerprint=outside,
        inputs={role: [catalog.get(item).digest for item in ids] for role, ids in inputs.items()},
    )
    found = catalog.find_result(key)
    if found is not None and plan.fresh and found["run"] != run:
        catalog.forget_result(key)
        found = None
    if found is None:
        with in_turn(
            _checkpoints(catalog, key).with_suffix(".lock"), lambda: _wait(catalog, run, position)
        ) as was_held:
            found = catalog.find_result(key) if was_held and not plan.fresh else None
            found = found or _run_fresh(catalog, run, plan, position, inputs=inputs, key=key, started=started)
    ours = found["run"] == run
    update_stage(
        catalog,
        run,
        position,
        cached=not ours,
        outputs=found["outputs"],
        done=1,
        total=1,
        seconds=round(found["seconds"] if ours else monotonic_s() - started, 3),
    )
    _refuse(catalog, run, step, found["outputs"])
    if verb.apply:
        call(verb.apply, catalog, run, spec, inputs, found["outputs"])


def _spec(verb: Verb, step: Step) -> Spec:
    """The step's spec as this version of the verb knows it."""
    try:
        return verb.spec.model_validate(step.spec)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([step.name, *(str(part) for part in first["loc"])])
        raise StageError(
            f"{place}: must be what this version of {step.verb} knows; {first['msg']}",
            parameter=place,
            remedy="The run was begun by another version of Modelmint: run the recipe again.",
        ) from error


def _run_fresh(
    catalog: Catalog,
    run: str,
    plan: Plan,
    position: int,
    *,
    inputs: Mapping[str, Sequence[str]],
    key: str,
    started: float,
) -> JSON:
    step = plan.steps[position]
    folder, checkpoints = stage_folder(catalog), _checkpoints(catalog, key)
    try:
        answer = supervise(
            catalog,
            run,
            position,
            step,
            inputs={role: list(ids) for role, ids in inputs.items()},
            seed=plan.seed,
            folder=folder,
            checkpoints=checkpoints,
        )
        drafts = _with_licences(catalog, [Draft.from_json(draft) for draft in answer["drafts"]], inputs)
        result = {
            "identity": key,
            "stage": step.verb,
            "outputs": answer["outputs"],
            "run": run,
            "seconds": monotonic_s() - started,
        }
        catalog.publish(
            drafts,
            staged=folder / "staged",
            run=run,
            result=result,
            role_parents={item: role for role, ids in inputs.items() for item in ids},
        )
    except CancelledRunError:
        shutil.rmtree(checkpoints, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return catalog.find_result(key) or result


def _checkpoints(catalog: Catalog, key: str) -> Path:
    return catalog.settings.scratch / "checkpoints" / key


def _wait(catalog: Catalog, run: str, position: int) -> None:
    update_stage(catalog, run, position, message="waiting for another run that is making the very same")
    if run_row(catalog, run)["cancel_requested"]:
        raise CancelledRunError("cancelled while it waited for another run")


def _resolve(catalog: Catalog, run: str, step: Step) -> dict[str, list[str]]:
    """Role -> artifact ids, from the outputs of the stages before; `overrides` are this run's own and no others."""
    made = {row["name"]: row["outputs"] or {} for row in stage_rows(catalog, run)}
    inputs: dict[str, list[str]] = {}
    for role, refs in step.wiring.items():
        inputs[role] = [
            item
            for ref in refs
            for item in ([ref["artifact"]] if "artifact" in ref else made[ref["stage"]].get(ref["role"], []))
        ]
    if OVERRIDES in verbs()[step.verb].inputs:
        inputs[OVERRIDES] = [one.report for one in overrides_of(catalog, run)]
    return inputs


def _with_licences(catalog: Catalog, drafts: Sequence[Draft], inputs: Mapping[str, Sequence[str]]) -> list[Draft]:
    """What is made from something under a licence stays under it."""
    inherited = {
        licence for ids in inputs.values() for item in ids for licence in catalog.get(item).manifest["licences"]
    }
    return [
        Draft(
            manifest=draft.manifest | {"licences": sorted(inherited | set(draft.manifest["licences"]))},
            wrapped_key=draft.wrapped_key,
        )
        for draft in drafts
    ]


def _refuse(catalog: Catalog, run: str, step: Step, outputs: Mapping[str, Sequence[str]]) -> None:
    """Stop the run where a report of this stage says `refused`."""
    for role, ids in outputs.items():
        for identifier in ids:
            artifact = catalog.get(identifier)
            if isinstance(artifact, Report) and (reasons := artifact.facts.get("refused")):
                raise GateError(
                    f"{step.name}: {'; '.join(map(str, reasons))}",
                    parameter=step.name,
                    remedy=f"`modelmint show {identifier}` has the figures of {role}. A person may let it pass: "
                    f'`modelmint override {run} --stage {step.name} --reason "..."`.',
                )
