"""measure: processes are timed in turns, and one that ends is named."""

import sys
from pathlib import Path

from modelmint.compression.measure import Speed, energy_j, measure_speeds
from modelmint.core.errors import StageError

ANSWERS = "from time import sleep; from modelmint.compression.timed import answer; answer(lambda: (lambda texts: {what}, 0.25))"
TEXTS = ["one", "two", "three"]


def process(what: str) -> list[str]:
    return [sys.executable, "-c", ANSWERS.format(what=what)]


def test_a_process_is_timed_and_one_that_ends_is_named() -> None:
    found = measure_speeds({"slow": process("sleep(0.002 * len(texts))"), "broken": process("1 / 0")}, TEXTS)
    assert isinstance(found["slow"], Speed)
    assert isinstance(found["broken"], StageError)
    assert "ZeroDivisionError" in found["broken"].message
    assert found["slow"].load_ms == 250
    assert 2 <= found["slow"].p50_ms <= found["slow"].p99_ms
    assert found["slow"].throughput_per_s <= 500


def test_energy_is_the_sum_of_the_processors(tmp_path: Path) -> None:
    for number, value in enumerate((1_500_000, 500_000)):
        (tmp_path / f"intel-rapl:{number}").mkdir()
        (tmp_path / f"intel-rapl:{number}" / "energy_uj").write_text(f"{value}\n")
    assert energy_j(tmp_path) == 2.0


def test_energy_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert energy_j(tmp_path) is None
