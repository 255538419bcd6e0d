"""A small built-in catalogue of well-known open data sets, each with its licence: ``source: open:banking77``.

Nothing of the data is here, only what one must know before choosing one. A licence that was not read at its source is
marked; either way read it before you rely on it (`core.licences.DISCLAIMER`).
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from modelmint.core.errors import InputError
from modelmint.core.licences import Judgement, judge

PREFIX = "open:"
"""How a source names one of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenSet:
    """One data set. `languages` are ISO 639-1 codes, none for numbers and pictures; `rows` is None where it grows."""

    name: str
    title: str
    task: str
    languages: tuple[str, ...]
    rows: int | None
    licence: str
    licence_certain: bool
    """The licence was read where `checked` says."""
    checked: str
    hub: str | None
    """Its name on the Hugging Face hub; None where it must be downloaded by hand from `url`."""
    url: str
    config: str | None
    """Which part of it on the hub."""
    columns: Mapping[str, str]
    """Canonical column -> its name in the source, where that is another."""
    by: str
    notes: str

    @property
    def sale(self) -> Judgement:
        """Whether a model trained on it may be sold."""
        return judge(self.licence)

    def to_dict(self) -> dict[str, Any]:
        """For `--json`: every field, with the verdict."""
        sale = self.sale
        fields = {name: getattr(self, name) for name in OpenSet.__dataclass_fields__}
        return fields | {
            "languages": list(self.languages),
            "columns": dict(self.columns),
            "may_be_sold": sale.may_be_sold,
            "why": sale.why,
            "obligations": list(sale.obligations),
        }


def find(*, task: str | None = None, language: str | None = None, sellable: bool | None = None) -> list[OpenSet]:
    """The sets for a task, in a language (``zh`` also for ``zh-Hans``), of which a model may, or may not surely, be sold."""
    wanted = language.partition("-")[0].lower() if language else None
    return [
        one
        for one in open_sets().values()
        if (task is None or one.task == task)
        and (wanted is None or wanted in one.languages)
        and (sellable is None or one.sale.sellable is sellable)
    ]


@lru_cache(maxsize=1)
def open_sets() -> dict[str, OpenSet]:
    """The whole catalogue by name, in its order: by task."""
    text = resources.files("modelmint.data.sources").joinpath("open_sets.json").read_text(encoding="utf-8")
    return {one["name"]: OpenSet(**{**one, "languages": tuple(one["languages"])}) for one in json.loads(text)["sets"]}


def open_set(name: str) -> OpenSet:
    """The set of that name.

    Raises:
        InputError: there is none.
    """
    known = open_sets()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise InputError(
            f"source: {PREFIX} must be followed by one of {', '.join(known)}; got {name!r}",
            parameter="source",
            remedy=f"Did you mean {PREFIX}{close[0]}?" if close else None,
        )
    return known[name]


def filled(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of `collect` with ``open:NAME`` made the hub's name; licence, language, task and columns are filled in.

    What the spec states wins. Another source is left as it is.

    Raises:
        InputError: there is no set of that name, or it is not on the hub.
    """
    source = str(spec.get("source", ""))
    if not source.startswith(PREFIX):
        return dict(spec)
    found = open_set(source.removeprefix(PREFIX))
    if found.hub is None:
        raise InputError(
            f"source: {source} is not on the hub, from which open sets are read",
            parameter="source",
            remedy=f"Download it from {found.url}, give the file as the source, and state licence: {found.licence}.",
        )
    known: dict[str, Any] = {"task": found.task, "licence": found.licence, "consent": "public_data", **found.columns}
    if len(found.languages) == 1:
        known["language"] = found.languages[0]
    if found.config:
        known["config"] = found.config
    given = {name: value for name, value in spec.items() if value is not None}
    return {**known, **given, "source": f"hf://{found.hub}"}
