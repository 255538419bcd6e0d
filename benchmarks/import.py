"""Importing 1,500,000 labelled texts from CSV and from JSON lines, against pandas, Polars and datasets.

The rows are those of open sets, repeated with a word put elsewhere. Each library runs in a process of its own, in an
environment of its own under benchmarks/.peers. What is compared is file to Parquet (zstd): theirs is reading and writing;
ours is the stage `collect`, which beside that checks every row, puts broken ones aside, gives stable ids, counts labels,
lengths and languages, and encrypts what it writes. Reading alone is printed too.
"""

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # noqa: F401  # says at once when it runs outside the project's environment
from measure import ROOT, SHARED, aim, arguments, report

PEERS = ROOT / "benchmarks/.peers"
PACKAGES = {"pandas": ["pandas", "pyarrow"], "polars": ["polars"], "datasets": ["datasets"]}
RUNS = {"modelmint": None, "pandas": "pandas", "polars": "polars", "polars-streaming": "polars", "datasets": "datasets"}
"""What is run -> its environment; None: this one."""
SETS = ("banking77/train.csv", "banking77/test.csv", "chnsenticorp/dev.csv", "chnsenticorp/test.csv")
NUM_ROWS, NUM_ROWS_QUICK = 1_500_000, 100_000
REPEATS = 3
TIMEOUT_S = 1800


def main() -> int:
    options = arguments(__doc__ or "")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    num_rows = NUM_ROWS_QUICK if options.quick else NUM_ROWS
    pythons = {name: environment(name) for name in PACKAGES}
    figures: dict[str, Any] = {"rows": f"{num_rows:,}"}
    aims = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("csv", "jsonl"):
            source = Path(folder) / f"rows.{kind}"
            write(source, num_rows)
            figures[f"{kind}, MB"] = round(source.stat().st_size / 1e6, 1)
            results: dict[str, dict[str, float]] = {}
            for name, peer in RUNS.items():
                python = sys.executable if peer is None else pythons[peer]
                done = best(name, python, source, num_rows) if python.startswith("/") else python
                figures[f"{kind}: {name}"] = told(done) if isinstance(done, dict) else done
                if isinstance(done, dict):
                    results[name] = done
                    figures[f"{kind}: {name}"] += beside(results, name)
            aims += compared(kind, results)
    return report("import", figures, aims, options=options)


def compared(kind: str, results: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Rows a second, and memory that does not grow with the file. Against the others there is no aim: they do less."""
    ours = results.get("modelmint")
    if ours is None:
        return [aim(f"{kind}: ours ran", 0, least=1)]
    return [
        aim(f"{kind}: rows/s", round(ours["rows"] / ours["write_s"]), least=200_000),
        aim(f"{kind}: peak memory, MB", round(ours["peak_mb"]), most=512),
    ]


def beside(results: dict[str, dict[str, float]], name: str) -> str:
    """How many times as fast as ours a peer is."""
    times = results["modelmint"]["write_s"] / results[name]["write_s"] if "modelmint" in results else 1.0
    return "" if name == "modelmint" else f"; {times:.1f} times as fast as ours"


def told(done: dict[str, float]) -> str:
    read = f"read only {done['rows'] / done['read_s']:,.0f} rows/s; " if "read_s" in done else ""
    return f"{done['rows'] / done['write_s']:,.0f} rows/s to Parquet ({done['write_s']:.2f} s); {read}peak {done['peak_mb']:,.0f} MB"


def best(name: str, python: str, source: Path, num_rows: int) -> dict[str, float] | str:
    """The fastest of some runs; the error where one fails."""
    results = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory(dir=source.parent) as folder:
            done = subprocess.run(
                [python, str(ROOT / "benchmarks/import_peers/run.py"), name, str(source), folder],
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_S,
                env={
                    **os.environ,
                    "HF_HUB_OFFLINE": "1",
                    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
                    "DO_NOT_TRACK": "1",
                },
            )
        if done.returncode:
            return f"failed: {(done.stderr.strip().splitlines() or ['no word'])[-1][:300]}"
        results.append(json.loads(done.stdout.strip().splitlines()[-1]))
        if results[-1]["rows"] != num_rows:
            return f"read {results[-1]['rows']:,} of {num_rows:,} rows"
    return min(results, key=lambda one: float(one["write_s"]))


def environment(name: str) -> str:
    """The Python of a peer's environment, made where it is not there yet; the error where it does not install."""
    home = PEERS / name
    if not (home / "installed").exists():
        venv.create(home, with_pip=True, clear=True)
        done = subprocess.run(
            [home / "bin/python", "-m", "pip", "install", "-q", *PACKAGES[name]],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"did not install: {(done.stderr.strip().splitlines() or ['no word'])[-1][:300]}"
        (home / "installed").touch()
    return str(home / "bin/python")


def write(path: Path, num_rows: int) -> None:
    """The same rows as CSV or as JSON lines."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        if path.suffix == ".csv":
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows(rows(num_rows))
        else:
            for text, label in rows(num_rows):
                stream.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")


def rows(num_rows: int) -> Iterator[tuple[str, str]]:
    """Texts of the open sets over and over, each time with another word moved to its front."""
    draw, given = random.Random(17), []
    for name in SETS:
        with (SHARED / name).open(newline="", encoding="utf-8") as stream:
            given += [(row["text"], row["label"]) for row in csv.DictReader(stream)]
    for number in range(num_rows):
        text, label = given[number % len(given)]
        words = text.split(" ") if " " in text else list(text)
        words.insert(0, words.pop(draw.randrange(len(words))))
        yield (" " if " " in text else "").join(words), label


if __name__ == "__main__":
    sys.exit(main())
