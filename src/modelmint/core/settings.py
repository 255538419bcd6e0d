"""The environment, read here and nowhere else, once, cast, and never changed afterwards.

| variable | default | meaning |
|---|---|---|
| MODELMINT_HOME | ~/.modelmint | the one folder: database, blobs, keys, journals, logs |
| MODELMINT_DATABASE_URL | sqlite in the home | postgresql+psycopg://user:password@host/name |
| MODELMINT_STORAGE_URL | file:// in the home | where blobs lie: any fsspec URL |
| MODELMINT_MASTER_KEY | a file in the home | 64 hex digits: the key that wraps all others |
| MODELMINT_HOST, MODELMINT_PORT | 127.0.0.1, 8000 | where the server listens |
| MODELMINT_MACHINE_HOUR | 0.10 USD | what an hour of this machine costs: the base of every cost figure |
| MODELMINT_WORKERS | 1 | how many runs a worker carries at a time |
| MODELMINT_RAY_ADDRESS | | a Ray cluster (`host:6379`, `ray://host:10001`) for the stages that can run on one |
| MLFLOW_TRACKING_URI | | where runs are told of when they end: a tracking server of MLflow (`http://host:5000`, `sqlite:///mlflow.db`) |
| MLFLOW_EXPERIMENT_NAME | modelmint | the experiment there |
| MODELMINT_ALLOW_PRIVATE_URLS | | hosts (name, name:port) and CIDR blocks of your own network that `source:` may name by URL |
| MODELMINT_ALLOW_CODE | | bases and tasks of `harness` whose own code may run here, as `NAME@SHA256` of their files, with commas; the refusal names the digest |
| MODELMINT_SECRET_… | | passwords of sources, named by `password_from`; read when they are used |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from modelmint.core.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Where this installation keeps its state and how it listens."""

    home: Path
    database_url: str = field(repr=False)  # may hold a password
    storage_url: str
    master_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    machine_hour: str = "0.10 USD"
    workers: int = 1
    ray_address: str | None = None
    mlflow_tracking_uri: str | None = field(default=None, repr=False)  # may hold a password
    mlflow_experiment: str | None = None
    allow_private_urls: tuple[str, ...] = ()
    allow_code: tuple[str, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ, *, home: Path | str | None = None) -> Self:
        """The settings of this process; `home` wins over ``MODELMINT_HOME``."""
        folder = Path(home or environ.get("MODELMINT_HOME") or Path.home() / ".modelmint").expanduser().resolve()
        return cls(
            home=folder,
            database_url=environ.get("MODELMINT_DATABASE_URL") or f"sqlite:///{folder}/modelmint.sqlite",
            storage_url=environ.get("MODELMINT_STORAGE_URL") or f"file://{folder}/blobs",
            master_key=environ.get("MODELMINT_MASTER_KEY"),
            host=environ.get("MODELMINT_HOST", "127.0.0.1"),
            port=_integer(environ, "MODELMINT_PORT", 8000, low=1, high=65535),
            machine_hour=environ.get("MODELMINT_MACHINE_HOUR", "0.10 USD"),
            workers=_integer(environ, "MODELMINT_WORKERS", 1, low=1, high=64),
            ray_address=environ.get("MODELMINT_RAY_ADDRESS") or None,
            mlflow_tracking_uri=environ.get("MLFLOW_TRACKING_URI") or None,
            mlflow_experiment=environ.get("MLFLOW_EXPERIMENT_NAME") or None,
            allow_private_urls=_listed(environ, "MODELMINT_ALLOW_PRIVATE_URLS"),
            allow_code=_listed(environ, "MODELMINT_ALLOW_CODE"),
        )

    @property
    def scratch(self) -> Path:
        """Working folders of running stages; removed when they end."""
        return self.home / "scratch"

    @property
    def journal(self) -> Path:
        """Usage journals, one file a server process, until they are in the database."""
        return self.home / "journal"

    @property
    def logs(self) -> Path:
        return self.home / "logs"


def secret(name: str, environ: Mapping[str, str] = os.environ, *, parameter: str = "password_from") -> str:
    """A password or token that a recipe names under `parameter`. Only ``MODELMINT_SECRET_*`` are given out: a recipe may name no other variable.

    Raises:
        InputError: another name, or a variable that is not set.
    """
    if not name.startswith(_SECRET) or not environ.get(name):
        said = "is not set" if name.startswith(_SECRET) else "is another variable"
        raise InputError(
            f"{parameter}: must be a variable {_SECRET}... of the environment that is set; {name[:100]} {said}",
            parameter=parameter,
            remedy=f"export {_SECRET}TICKETS='...', and set {parameter} to {_SECRET}TICKETS.",
        )
    return environ[name]


_SECRET = "MODELMINT_SECRET_"  # noqa: S105  # the beginning of a name


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, environ.get(name, "").replace(" ", "").split(",")))


def _integer(environ: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise InputError(
            f"{name}: must be a whole number from {low} to {high}; got {text!r}",
            parameter=name,
            remedy=f"Set {name}={default} or unset it.",
        )
    return int(text)
