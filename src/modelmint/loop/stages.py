"""The table of contents of the product: one line a verb.

A verb is a function of the one contract (`core/stage.py`); its spec, inputs and outputs are read off its signature.
Third parties add verbs through the entry-point group ``modelmint.stages``: an entry whose object is a `Verb`.
"""

import importlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any

from modelmint.core.errors import RecipeError
from modelmint.core.spec import Spec
from modelmint.core.types import Artifact

ENGINES = ("local", "ray")
"""Where a stage may run: on this machine's threads, or on a Ray cluster."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """One input or output of a verb. `many`: all artifacts of that role, in order."""

    name: str
    kind: type[Artifact]
    optional: bool
    many: bool


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb of the loop; its code is imported when it is first used."""

    name: str
    about: str
    """One line for people."""
    code: str
    """``module:function`` of the stage."""
    version: int = 1
    """Raise it when the same spec and inputs give other outputs than before."""
    fingerprint: str | None = None
    """``module:function`` of the spec, for what the stage reads beside its inputs (a file, a base)."""
    apply: str | None = None
    """``module:function`` ``(catalog, run, spec, inputs, outputs)``: what the end of the stage changes, done again on every run."""
    sees: tuple[str, ...] = ()
    """Verbs whose specs, as they stand in the same recipe, fill the fields of the same names of this verb's spec."""
    engines: tuple[str, ...] = ("local",)
    """Those of `ENGINES` that it can run on."""

    @cached_property
    def function(self) -> Callable[..., Any]:
        return _load(self.code)

    @cached_property
    def spec(self) -> type[Spec]:
        return typing.cast("type[Spec]", self._hints["spec"])

    @cached_property
    def inputs(self) -> Mapping[str, Role]:
        return _roles(self._hints["inputs"])

    @cached_property
    def outputs(self) -> Mapping[str, Role]:
        return _roles(self._hints["return"])

    @cached_property
    def inputs_type(self) -> type[Any]:
        return typing.cast("type[Any]", self._hints["inputs"])

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function)


BUILT_IN = (
    Verb(name="collect", about="read a source into a dataset; bad rows go to quarantine", code="modelmint.data.collect:collect", version=2, fingerprint="modelmint.data.collect:fingerprint"),
    Verb(name="preflight", about="look before money is spent: lengths, balance, copies, leaks, licences, an estimate", code="modelmint.data.preflight:preflight", version=2, fingerprint="modelmint.data.preflight:fingerprint", sees=("train",)),
    Verb(name="clean", about="mend and filter texts by named rules, drop exact duplicates", code="modelmint.data.clean:clean", version=2, fingerprint="modelmint.data.clean:fingerprint"),
    Verb(name="restore", about="put quarantined rows back", code="modelmint.data.restore:restore", version=2),
    Verb(name="normalise", about="fill, clip and scale a table's columns, fitted on the training rows", code="modelmint.data.normalise:normalise", version=2),
    Verb(name="deduplicate", about="find near-copies: drop or mark them, and check for leaks", code="modelmint.data.deduplicate:deduplicate", version=2, engines=ENGINES),
    Verb(name="deidentify", about="mask personal data, or put stand-ins in its place", code="modelmint.data.deidentify:deidentify", version=2, fingerprint="modelmint.data.deidentify:fingerprint"),
    Verb(name="split", about="train, validation and test, without leaks", code="modelmint.data.split:split", version=3),
    Verb(name="augment", about="more training rows, changed a little; rare labels evened out", code="modelmint.data.augment:augment"),
    Verb(name="curate", about="turn feedback into new training rows", code="modelmint.feedback.curate:curate"),
    Verb(name="search", about="find the best values of knobs for train, by trials within a budget", code="modelmint.training.search:search", version=2, fingerprint="modelmint.training.search:fingerprint", sees=("train",), engines=ENGINES),
    Verb(name="train", about="fine-tune a base", code="modelmint.training.train:train", version=3, fingerprint="modelmint.training.train:fingerprint", engines=ENGINES),
    Verb(name="evaluate", about="figures with intervals, by slices, beside the cheap baseline and the live model, and gates", code="modelmint.evaluation.evaluate:evaluate", version=3),
    Verb(name="judge", about="a language model rates answers, once it is shown to rate as people do", code="modelmint.evaluation.judge:judge"),
    Verb(name="harness", about="tasks of lm-evaluation-harness put to a language model, with gates", code="modelmint.evaluation.harness:harness", fingerprint="modelmint.evaluation.harness:fingerprint"),
    Verb(name="compress", about="smaller and faster variants, measured; the cheapest that passes is chosen", code="modelmint.compression.compress:compress", version=3),
    Verb(name="parity", about="replay through the real endpoint: is what is served what was trained?", code="modelmint.evaluation.parity:parity", version=3),
    Verb(name="report", about="the model card and a page to send", code="modelmint.trust.report:report", sees=("deploy",)),
    Verb(name="deploy", about="switch an endpoint to the variant", code="modelmint.serving.deploy:deploy", apply="modelmint.serving.deploy:apply"),
)  # fmt: skip


def verbs() -> dict[str, Verb]:
    """Every verb by name: the built-in ones, then those of installed packages."""
    table = {verb.name: verb for verb in BUILT_IN}
    for entry in entry_points(group="modelmint.stages"):
        verb = entry.load()
        if not isinstance(verb, Verb) or verb.name in table:
            raise RecipeError(
                f"modelmint.stages: {entry.value} must be a Verb with a name of its own",
                parameter=entry.name,
                remedy="Uninstall the package that brings it, or ask its author to mend the entry point.",
            )
        table[verb.name] = verb
    return table


def call(path: str, *arguments: Any) -> Any:
    """Call ``module:function``."""
    return _load(path)(*arguments)


def _load(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    return typing.cast("Callable[..., Any]", getattr(importlib.import_module(module), name))


def _roles(contract: type[Any]) -> dict[str, Role]:
    hints = typing.get_type_hints(contract)
    return {field.name: _role(field.name, hints[field.name]) for field in fields(contract)}


def _role(name: str, hint: Any) -> Role:
    optional, many = False, False
    if isinstance(hint, types.UnionType):
        (hint,) = (part for part in hint.__args__ if part is not type(None))
        optional = True
    if typing.get_origin(hint) is tuple:
        hint, many = typing.get_args(hint)[0], True
    return Role(name=name, kind=hint, optional=optional, many=many)
