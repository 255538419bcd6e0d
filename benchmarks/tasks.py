"""Every task that can be trained, on real data: its figure with an interval, beside the floor it should pass.

    python benchmarks/tasks.py                 # all of them: hours on two cores
    python benchmarks/tasks.py tables spans    # some families: the files of benchmarks/task_families
    python benchmarks/tasks.py --quick         # a few steps each, to see that they work; no figure means anything

Each trains by the same functions as a recipe does. Floors are the project's own aims; a figure that has none is told.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from measure import SHARED, aim, report

FOLDER = Path(__file__).with_name("task_families")
NO_FAMILY = ("plain_gpt",)


def main() -> int:
    families = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NO_FAMILY)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(families))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="a few steps each, said so in the output")
    options = parser.parse_args()
    if strange := [name for name in options.families if name not in families]:
        parser.error(f"FAMILY must be one of {', '.join(families)}; got {strange[0]}")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    sys.path.insert(0, str(FOLDER))
    figures: dict[str, Any] = {}
    for name in options.families or families:
        began_s = time.monotonic()
        found = importlib.import_module(name).run(options.quick)
        print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
        figures |= found
        print(json.dumps(found, default=str), file=sys.stderr, flush=True)
    return report(
        "tasks", {name: _written(value) for name, value in figures.items()}, list(_aims(figures)), options=options
    )


def _aims(figures: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping) and "floor" in value:
            main = value if "value" in value else next(one for one in value.values() if isinstance(one, Mapping))
            yield aim(name, float(main["value"]), least=float(value["floor"]))


def _written(value: Any) -> Any:
    """A figure on one line."""
    if not isinstance(value, Mapping):
        return value
    if "value" in value:
        interval = f" ({value['low']:.4f} to {value['high']:.4f}), n = {value['n']}" if "low" in value else ""
        return f"{value['value']:.4f}{interval}"
    return ", ".join(f"{name} {_written(inner)}" for name, inner in value.items() if name != "floor")


if __name__ == "__main__":
    sys.exit(main())
