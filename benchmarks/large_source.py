"""A source of several gigabytes through every station of the data wing: seconds and peak memory of each.

The rows are made, not stored: texts of a dozen sentences, English and Chinese, a fifth of them near-copies, every tenth
with an address or number of a person. The stations run by the command, one after the other, each in its own process as
always; a station's memory is the highest sum over its run's processes, the command's own among them.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dedup_corpus import CLUSTERS, SEED, SIZES, edited, long_maker, sentences
from measure import SHARED, Watch, aim, arguments, modelmint, report

NUM_BYTES, QUICK_BYTES = 3_000_000_000, 50_000_000
RECIPE = """
name: large
about: Many texts
stages:
  - collect: {source: "SOURCE", task: text-generation, licence: CC0-1.0}
  - clean
  - deduplicate
  - deidentify
  - split: {validation: 0.01, test: 0.01}
"""
STATIONS = ("collect", "clean", "deduplicate", "deidentify", "split")
MOST_GIB = 4
PERSONAL = (
    "Write to {name}.{number}@example.com.", "Call +1 415 555 {number:04d} after six.", "请拨打 138{number:08d} 联系。",
    "Her card is 4111 1111 1111 1111.", "服务器 10.20.{low}.{high} 已停机。",
)  # fmt: skip


def main() -> int:
    options = arguments(__doc__ or "")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = write(folder / "source.jsonl", QUICK_BYTES if options.quick else NUM_BYTES)
        (folder / "recipe.yaml").write_text(RECIPE.replace("SOURCE", str(folder / "source.jsonl")))
        figures: dict[str, Any] = {"rows": written, "bytes": (folder / "source.jsonl").stat().st_size}
        peaks = []
        for station in STATIONS:
            seconds, peak_gib, rows = run_until(station, folder)
            print(f"{station}: {seconds:.0f} s, {peak_gib:.2f} GiB, {rows}", file=sys.stderr, flush=True)
            figures[station] = f"{seconds:.0f} s, {written / seconds:,.0f} rows/s, {peak_gib:.2f} GiB, {rows}"
            peaks.append(peak_gib)
    return report(
        "large_source",
        figures,
        [aim("highest memory of a station, GiB", round(max(peaks), 2), most=MOST_GIB)],
        options=options,
    )


def run_until(station: str, folder: Path) -> tuple[float, float, str]:
    """One station more; those before it are known and not run again."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "modelmint", "--home", str(folder / "home"), "run", str(folder / "recipe.yaml"),
         "--until", station, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watch = Watch(child.pid)
    out, err = child.communicate()
    seconds, peak_gib = time.perf_counter() - begun, watch.end() / 2**30
    if child.returncode:
        sys.exit(f"{station}: {err[-2000:]}{out[-2000:]}")
    roles = next(each["roles"] for each in json.loads(out)["stages"] if each["name"] == station)
    rows = [f"{role} {number:,}" for role, ids in roles.items() if (number := num_rows(ids, folder)) is not None]
    return seconds, peak_gib, "rows: " + ", ".join(rows)


def num_rows(ids: list[str], folder: Path) -> int | None:
    """Of a dataset; a report has none."""
    shown = modelmint("show", ids[0], "--json", home=folder / "home") if ids else None
    return json.loads(shown.stdout)["facts"].get("num_rows") if shown else None


def write(target: Path, num_bytes: int) -> int:
    """Lines of JSON until the file has this size; copies stand near their text, as in a crawl. Returns their number."""
    written = num_rows = 0
    with target.open("w", encoding="utf-8") as stream:
        for text in texts():
            line = json.dumps({"id": num_rows, "text": text}, ensure_ascii=False) + "\n"
            written, num_rows = written + len(line.encode()), num_rows + 1
            stream.write(line)
            if written >= num_bytes:
                return num_rows
    return num_rows


def texts() -> Iterator[str]:
    draw = random.Random(f"{SEED} large")
    waiting: list[str] = []
    for language, text in long_maker(sentences(), draw):
        whole = f"{text} {person(draw)}" if draw.random() < 0.1 else text
        size = draw.choice(SIZES) if draw.random() < CLUSTERS else 1
        waiting += [whole, *(edited(whole, language, draw, "long") for _ in range(size - 1))]
        if len(waiting) >= 50_000:
            draw.shuffle(waiting)
            yield from waiting
            waiting = []


def person(draw: random.Random) -> str:
    number = draw.randrange(10_000)
    return draw.choice(PERSONAL).format(name="mei", number=number, low=number % 250, high=number % 199)


if __name__ == "__main__":
    sys.exit(main())
