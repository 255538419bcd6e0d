"""Errors, ids, hashing, money, settings."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from modelmint.core.errors import GateError, InputError, ModelmintError, NotFoundError, from_dict
from modelmint.core.hashing import canonical, identity
from modelmint.core.ids import kind_of, new_id
from modelmint.core.money import money
from modelmint.core.settings import Settings


def test_an_error_survives_the_way_through_json() -> None:
    error = NotFoundError("run_1: no such run", parameter="run", remedy="`modelmint runs` lists them.", line=3)
    back = from_dict(json.loads(json.dumps(error.to_dict())))
    assert (type(back), back.to_dict()) == (NotFoundError, error.to_dict())


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert (ModelmintError.exit_code, InputError.exit_code, GateError.exit_code) == (1, 2, 3)


def test_ids_sort_by_age_and_tell_their_noun() -> None:
    first, second = new_id("run"), new_id("run")
    assert first != second
    assert (kind_of(first), kind_of("nothing_1")) == ("run", None)
    assert first[:10] <= second[:10]


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 1, "a": {"d": 2, "c": 3}}) == canonical({"a": {"c": 3, "d": 2}, "b": 1})


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"a": float("nan")})


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"version": 2}, {"spec": {"a": 2}}, {"inputs": {"data": ["y"]}}, {"fingerprint": "f"}]
)
def test_every_part_of_an_identity_counts(change: dict[str, object]) -> None:
    same: dict[str, object] = {"stage": "clean", "version": 1, "spec": {"a": 1}, "inputs": {"data": ["x"]}, "seed": 1}
    assert identity(**same) != identity(**(same | change))  # type: ignore[arg-type]


def test_money_is_exact_and_rounds_half_up() -> None:
    price = money("0.005 USD")
    assert str(price.times(3).rounded()) == "0.02 USD"
    assert price.times(1000).amount == Decimal("5.000")


@pytest.mark.parametrize("text", ["0.5", "-1 USD", "NaN USD", "1 XXX", "one USD", ""])
def test_a_wrong_price_is_refused_with_the_currencies(text: str) -> None:
    with pytest.raises(InputError, match="price: must be an amount >= 0 and a currency of AUD"):
        money(text)


def test_settings_come_from_the_environment_and_home_wins(tmp_path: Path) -> None:
    settings = Settings.read({"MODELMINT_HOME": "/elsewhere", "MODELMINT_PORT": "81"}, home=tmp_path)
    assert (settings.home, settings.port) == (tmp_path, 81)
    assert settings.database_url == f"sqlite:///{tmp_path}/modelmint.sqlite"


def test_a_wrong_port_is_refused_with_its_name() -> None:
    with pytest.raises(InputError, match="MODELMINT_PORT: must be a whole number from 1 to 65535; got '99999'"):
        Settings.read({"MODELMINT_PORT": "99999"})


def test_secrets_do_not_show(tmp_path: Path) -> None:
    settings = Settings.read(
        {"MODELMINT_DATABASE_URL": "postgresql+psycopg://u:hunter2@h/d", "MODELMINT_MASTER_KEY": "ab" * 32},
        home=tmp_path,
    )
    assert "hunter2" not in repr(settings)
    assert "abab" not in repr(settings)


def test_importing_loads_nothing_heavy_and_touches_neither_disk_nor_network() -> None:
    probe = """
import sys
opened = []
def hook(event, args):
    if event in {"socket.connect", "socket.getaddrinfo", "sqlite3.connect", "os.mkdir"} or (event == "open" and args[1] and "w" in str(args[1])):
        opened.append((event, args))
sys.addaudithook(hook)
import modelmint, modelmint.cli.main
heavy = {"torch", "transformers", "sqlalchemy", "pydantic", "numpy", "pyarrow", "fastapi", "rich", "dbos"} & set(sys.modules)
assert not heavy, heavy
assert not opened, opened
"""
    done = subprocess.run([sys.executable, "-B", "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_library_of_ours_finds_the_package_that_fetches_and_runs_code(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text("raise SystemExit('was imported')\n")
    code = "import modelmint, importlib.util\nprint(importlib.util.find_spec('kernels'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "None\n")
