"""The Python face: the same services that the command line and the HTTP API call.

ws = modelmint.Workspace()
summary = ws.run("recipe.yaml", data="questions.csv")
ws.predict("customer-service", ["where is my parcel?"])
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from modelmint.catalog.catalog import Catalog
from modelmint.core.clock import now
from modelmint.core.errors import InputError
from modelmint.core.ids import kind_of
from modelmint.core.settings import Settings
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Artifact, Dataset
from modelmint.loop.submit import Watcher


class Workspace:
    """One installation, opened for its own tenant. Not for use by several threads at once."""

    def __init__(self, home: Path | str | None = None) -> None:
        """Open the installation in `home` (else MODELMINT_HOME, else ``~/.modelmint``); it is made at first use."""
        self.settings = Settings.read(home=home)

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.settings)

    def run(
        self,
        recipe: Path | str,
        *,
        settings: Sequence[str] = (),
        name: str | None = None,
        until: str | None = None,
        fresh: bool = False,
        watch: Watcher | None = None,
        **params: Any,
    ) -> JSON:
        """Run a recipe to its end; what is known is taken from the catalog.

        Args:
            settings: ``param=value`` or ``stage.key=value``, as with ``--set``.
            fresh: run every stage again, whatever the catalog has.
            params: the recipe's params, by name.

        Returns:
            The summary of the run (design, section 10); look at ``status``.
        """
        from modelmint.loop.recipe import compile_recipe
        from modelmint.loop.submit import run_plan

        given = [
            *settings,
            *(f"{key}={json.dumps(value) if not isinstance(value, str) else value}" for key, value in params.items()),
        ]
        plan = compile_recipe(Path(recipe), settings=given, name=name, until=until)
        return run_plan(self.catalog, replace(plan, fresh=fresh), watch)

    def stage(
        self, spec: Spec, inputs: Mapping[str, Artifact | Sequence[Artifact]] | None = None, *, seed: int = 17
    ) -> dict[str, list[Artifact]]:
        """Run one stage on artifacts, e.g. ``ws.stage(CleanSpec(), {"data": dataset})["data"]``; role -> artifacts.

        Raises:
            ModelmintError: what the stage raised; GateError when it refused.
        """
        from modelmint.loop.single import stage_plan
        from modelmint.loop.submit import run_plan

        summary = run_plan(self.catalog, stage_plan(spec, inputs or {}, seed))
        self._raise(summary)
        return {role: [self.catalog.get(item) for item in ids] for role, ids in summary["stages"][0]["roles"].items()}

    def run_stage(
        self,
        verb: str,
        inputs: Mapping[str, Sequence[str]] | None = None,
        *,
        settings: Sequence[str] = (),
        watch: Watcher | None = None,
    ) -> JSON:
        """Run one verb by its name, as ``modelmint stage`` does: ``inputs`` are role -> ids, ``settings`` key=value."""
        from modelmint.loop.single import verb_plan
        from modelmint.loop.submit import run_plan

        return run_plan(self.catalog, verb_plan(verb, inputs or {}, settings), watch)

    def resume(self, run: str, watch: Watcher | None = None) -> JSON:
        """Watch a run to its end; it goes on where it stopped."""
        from modelmint.loop.submit import follow

        return follow(self.catalog, run, watch)

    def override(
        self, run: str, *, reason: str, stage: str | None = None, by: str | None = None, watch: Watcher | None = None
    ) -> JSON:
        """Let the refused gate of a run pass and go on with it to its end; the verdicts stay as they are.

        Args:
            reason: why, in words; it is kept for good, with who and when.
            stage: the stage that was refused; it may be left out.
            by: who, in front of the account's name on this machine.

        Raises:
            NotFoundError: no such run.
            InputError: there is no reason, the run or that stage was not refused, or it cannot be let pass.
        """
        from modelmint.loop.override import override, person_here
        from modelmint.loop.submit import follow

        override(self.catalog, run, reason=reason, stage=stage, actor=person_here(by))
        return follow(self.catalog, run, watch)

    def pages(self, run: str, folder: Path | str) -> Path:
        """Every page of a run in a new folder, with an index; returns the index."""
        from modelmint.loop.pages import write_pages

        return write_pages(self.catalog, run, Path(folder))

    def compare(self, *identifiers: str) -> JSON:
        """Runs, models or trainings beside each other; the first is what the others are compared with.

        Raises:
            InputError: fewer than two or more than eight, one twice, or one that cannot be compared.
        """
        from modelmint.loop.tracking.compare import compare

        return compare(self.catalog, identifiers)

    def track(self, run: str, *, mlflow: str | None = None, tensorboard: Path | str | None = None) -> JSON:
        """Tell others' trackers of a run: figures, curves, knobs and digests, never rows. Done twice, it stands there once.

        Args:
            mlflow: a tracking URI; MLFLOW_TRACKING_URI where neither is given.
            tensorboard: a folder for event files, as TensorBoard's ``--logdir`` is.

        Raises:
            InputError: nowhere to send it to, a run that trained nothing, or a library that is not installed.
            UnavailableError: the server does not answer.
        """
        from modelmint.loop.tracking.track import track

        return track(self.catalog, run, mlflow=mlflow, tensorboard=Path(tensorboard) if tensorboard else None)

    def compare_page(self, comparison: JSON) -> str:
        """What `compare` found as one page of HTML, with the curves."""
        from modelmint.loop.tracking.page import compare_page

        return compare_page(self.catalog, comparison)

    def cancel(self, run: str) -> JSON:
        from modelmint.loop.runs import request_cancel

        return request_cancel(self.catalog, run)

    def runs(self, *, limit: int = 100) -> list[JSON]:
        from modelmint.loop.runs import list_runs

        return list_runs(self.catalog, limit=limit)

    def artifacts(self, kind: str, *, limit: int = 100) -> list[JSON]:
        """Datasets, models or reports, newest first, in short."""
        return [
            {
                "id": artifact.id,
                "kind": artifact.kind,
                "name": artifact.name,
                "digest": artifact.digest,
                "size_bytes": artifact.size_bytes,
                "licences": artifact.manifest["licences"],
                "run": artifact.manifest["run"],
                "created_at": artifact.manifest["created_at"],
                "facts": {key: value for key, value in artifact.facts.items() if not isinstance(value, list | dict)},
            }
            for artifact in self.catalog.list(kind, limit=limit)
        ]

    def datasets(self, *, limit: int = 100) -> list[JSON]:
        return self.artifacts("dataset", limit=limit)

    def models(self, *, limit: int = 100) -> list[JSON]:
        return self.artifacts("model", limit=limit)

    def show(self, identifier: str) -> JSON:
        """A run's summary or an artifact's manifest. Raises NotFoundError."""
        if kind_of(identifier) == "run":
            from modelmint.loop.runs import run_summary

            return run_summary(self.catalog, identifier)
        return dict(self.catalog.get(identifier).manifest)

    def get(self, identifier: str) -> Artifact:
        """The artifact itself: its files, facts and lineage. Raises NotFoundError."""
        return self.catalog.get(identifier)

    def peek(self, source: str, **said: Any) -> JSON:
        """What a source holds and how it would be read, from its first megabytes; nothing is imported."""
        from modelmint.data.peek import peek

        return peek(source, **said)

    def advise(self, dataset: Artifact | str, **how: Any) -> JSON:
        """Every way to train for a dataset, or for a source's rows, ranked, with reasons: see `loop.advice.advice`."""
        from modelmint.loop.advice import advice

        return advice(self.catalog, dataset, **how)

    def diff(self, before: Artifact | str, after: Artifact | str) -> JSON:
        """What changed from one version of a dataset to another: rows, labels, columns, statistics."""
        from modelmint.data.diff import diff

        return diff(self._dataset(before), self._dataset(after))

    def export_dataset(
        self,
        dataset: Artifact | str,
        target: Path | str,
        format: str | None = None,  # noqa: A002  # the word that people type
        **how: Any,
    ) -> JSON:
        """Write a dataset as CSV, JSON lines, Parquet, Excel, a chat dialect, ...: see `data.export.export`."""
        from modelmint.data.export import export

        return export(self._dataset(dataset), Path(target), format, **how)

    def licences(self, identifier: str) -> JSON:
        """May what was made here be sold, and if not, because of which parent? No legal advice."""
        from modelmint.trust.licences import verdict

        return verdict(self.catalog, identifier)

    def alias(self, name: str, identifier: str) -> JSON:
        """Point a name of one's own to an artifact; it stands wherever an id does."""
        from modelmint.catalog.names import set_alias

        return set_alias(self.catalog, name, identifier)

    def aliases(self) -> Sequence[JSON]:
        from modelmint.catalog.names import list_aliases

        return list_aliases(self.catalog)

    def remove_alias(self, name: str) -> None:
        from modelmint.catalog.names import remove_alias

        remove_alias(self.catalog, name)

    def pin(self, identifier: str, reason: str = "") -> JSON:
        """Keep an artifact: it cannot be removed until it is unpinned."""
        from modelmint.catalog.names import pin

        return pin(self.catalog, identifier, reason=reason)

    def unpin(self, identifier: str) -> JSON:
        from modelmint.catalog.names import unpin

        return unpin(self.catalog, identifier)

    def remove(self, identifier: str) -> JSON:
        """Drop an artifact's key and bytes; its place in the lineage stays. Raises InputError while it is needed."""
        from modelmint.catalog.names import remove

        return remove(self.catalog, identifier)

    def lineage(self, identifier: str) -> JSON:
        """The tree of what an artifact was made from."""
        from modelmint.catalog.lineage import ancestors

        return ancestors(self.catalog, identifier).to_dict()

    def export(self, identifier: str, folder: Path | str) -> Path:
        """Copy an artifact's files and its ``manifest.json`` into a new folder.

        Raises:
            InputError: the folder exists and is not empty.
        """
        from modelmint.catalog.copies import copy_out

        return copy_out(self.catalog, identifier, Path(folder))

    def export_model(self, model: Artifact | str, folder: Path | str, form: str, **how: Any) -> JSON:
        """Write a model as ``hf``, ``adapter``, ``onnx``, ``gguf``, ``edge``, ...: see `compression.exports.export`."""
        from modelmint.compression.exports.export import export
        from modelmint.trust.licences import verdict

        identifier = model.id if isinstance(model, Artifact) else model
        return export(self.catalog, identifier, Path(folder), form, verdict=verdict(self.catalog, identifier), **how)

    def deploy(self, model: Artifact | str, endpoint: str, *, price: str = "0 USD") -> JSON:
        """Point an endpoint to a variant that went through parity. Raises GateError when none is on record."""
        from modelmint.catalog.deployments import deploy
        from modelmint.serving.release import released

        variant = model.id if isinstance(model, Artifact) else model
        proof = released(self.catalog, variant)
        return deploy(
            self.catalog, endpoint=endpoint, model=proof.model, variant=variant, price=price, release=proof.parity
        ).to_dict()

    def deployments(self) -> list[JSON]:
        from modelmint.catalog.deployments import list_deployments

        return [deployment.to_dict() for deployment in list_deployments(self.catalog)]

    def rollback(self, endpoint: str, revision: int | None = None) -> JSON:
        """Switch an endpoint back to the revision before, or to a given one, at once."""
        from modelmint.catalog.deployments import rollback, switch

        made = switch(self.catalog, endpoint, revision) if revision else rollback(self.catalog, endpoint)
        return made.to_dict()

    def predict(self, endpoint: str, rows: Sequence[str | JSON], *, scores: bool = False) -> JSON:
        """Ask a deployed endpoint in this process; it is recorded like every request."""
        from modelmint.business.service import predict_here

        return predict_here(self.settings, endpoint, list(rows), scores=scores)

    def feedback(self, prediction: str, **said: Any) -> JSON:
        """Record what was right about a prediction: ``label``, ``rating``, ``correction``, ``comment``, ``index``."""
        from modelmint.business.metering import Ingester
        from modelmint.feedback.collect import record

        Ingester(self.catalog).run()  # the prediction may be a moment old
        return {"id": record(self.catalog, prediction, **said), "object": "feedback", "prediction": prediction}

    def improve(self, endpoint: str, watch: Watcher | None = None) -> JSON:
        """Train on the feedback, compare with the live model on the same test set, promote or refuse."""
        from modelmint.loop.improve import improve_plan
        from modelmint.loop.submit import run_plan

        return run_plan(self.catalog, improve_plan(self.catalog, endpoint), watch)

    def usage(self, endpoint: str | None = None) -> JSON:
        """What was served and what it comes to."""
        from modelmint.business.metering import Ingester
        from modelmint.business.statement import statement

        Ingester(self.catalog).run()
        lines = statement(self.catalog, endpoint, since=datetime(1970, 1, 1, tzinfo=UTC), until=now())
        return {"lines": [line.to_dict() for line in lines]}

    def collect_garbage(self) -> int:
        """Remove blobs that no artifact holds; returns how many.

        Raises:
            InputError: a run is under way; its blobs could be among them.
        """
        if busy := [run["run"] for run in self.runs() if run["status"] in ("queued", "running")]:
            raise InputError(
                f"gc: {busy[0]} is under way", parameter="gc", remedy=f"Wait for it, or: modelmint cancel {busy[0]}"
            )
        return self.catalog.collect_garbage()

    def create_key(self, name: str, scopes: Sequence[str]) -> JSON:
        from modelmint.business.keys import create

        made = create(self.catalog, name, scopes)
        return made.to_dict() | {"secret": made.secret}

    def keys(self) -> list[JSON]:
        from modelmint.business.keys import list_keys

        return [key.to_dict() for key in list_keys(self.catalog)]

    def revoke_key(self, key: str) -> None:
        from modelmint.business.keys import revoke

        revoke(self.catalog, key)

    def close(self) -> None:
        if "catalog" in self.__dict__:
            self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _dataset(self, given: Artifact | str) -> Dataset:
        return given if isinstance(given, Dataset) else self.catalog.dataset(str(given))

    def _raise(self, summary: JSON) -> None:
        from modelmint.core.errors import from_dict

        if summary["status"] != "succeeded" and summary["error"]:
            raise from_dict({"error": summary["error"]})
