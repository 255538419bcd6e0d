"""What became of telling a tracker of a run, kept beside the run's logs."""

import json
from pathlib import Path

from modelmint.catalog.catalog import Catalog
from modelmint.core.types import JSON


def told_of(catalog: Catalog, run: str) -> JSON | None:
    """The last time, if it was from this machine: ``{"to", "sent", ...}``."""
    try:
        told: JSON = json.loads(_file(catalog, run).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return told


def remember(catalog: Catalog, run: str, told: JSON) -> None:
    """Keep it for the run's summary."""
    file = _file(catalog, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _file(catalog: Catalog, run: str) -> Path:
    return catalog.settings.logs / run / "tracking.json"
