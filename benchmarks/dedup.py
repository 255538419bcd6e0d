"""Near-copies among 1,000,000 short and 200,000 longer texts, planted so that they are known, against three libraries.

Ours is the stage `deduplicate`, from its dataset to the datasets and the report that it lays down. text-dedup, datatrove and
py-data-juicer run as their own commands or pipelines do, from Parquet to what they write, each in an environment of its own
under benchmarks/.peers; all with about 128 hashes, and each with the setting by which its F1 was best at the
quick size (SETTINGS): our similarity, their n-grams at a similarity of 0.7. They get texts with spaces between Chinese letters, since they find words by spaces.
"""

import shutil
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measure import ROOT, SHARED, Watch, aim, arguments, report

PEERS = ROOT / "benchmarks/.peers"
SCRIPTS = ROOT / "benchmarks/dedup_peers"
SETTINGS = {
    "modelmint": {"short": "0.6", "long": "0.7"},
    "text-dedup": {"short": "1", "long": "2"},
    "datatrove": {"short": "1/14x8", "long": "2/25x5"},
    "py-data-juicer": {"short": "1", "long": "c4"},
}
"""Ours: the similarity of letters; theirs: how many words a shingle has, or letters (c), and datatrove's
buckets and hashes in each. Each the best of those tried at
the quick size: 0.5 to 0.7; 1, 2, 3 and c4.
"""
MISSING = {"datatrove": ["pyarrow", "regex", "xxhash<4", "orjson", "tokenizers"], "py-data-juicer": ["aiohttp"]}
"""What they import and do not ask for."""
SIZES = {"short": (1_000_000, 50_000), "long": (200_000, 10_000)}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of one library on one corpus."""

    docs_per_s: float
    seconds: float
    peak_gib: float
    precision: float
    recall: float
    f1: float

    def __str__(self) -> str:
        return (
            f"{self.docs_per_s:,.0f} docs/s ({self.seconds:.1f} s), {self.peak_gib:.2f} GiB, "
            f"P {self.precision:.4f} R {self.recall:.4f} F1 {self.f1:.4f}"
        )


def main() -> int:
    options = arguments(__doc__ or "")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    figures: dict[str, Any] = {}
    aims: list[dict[str, Any]] = []
    for kind, sizes in SIZES.items():
        num_rows = sizes[options.quick]
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.parquet"
            subprocess.run(
                [sys.executable, str(ROOT / "benchmarks/dedup_corpus.py"), kind, str(num_rows), str(corpus)], check=True
            )
            truth = pq.read_table(corpus, columns=["cluster"]).column(0).to_numpy()
            ours = measured(
                [sys.executable, str(SCRIPTS / "run_modelmint.py"), str(corpus)],
                truth,
                Path(folder),
                SETTINGS["modelmint"][kind],
            )
            figures[f"{kind}: rows, planted pairs"] = f"{num_rows:,}, {pairs_in(truth):,}"
            peers = {name: peer(name, kind, corpus, truth, Path(folder)) for name in SETTINGS if name != "modelmint"}
        found: dict[str, Measured | str] = {"modelmint": ours, **peers}
        figures |= {f"{kind}: {name} ({SETTINGS[name][kind]})": str(result) for name, result in found.items()}
        aims += compared(kind, ours, [result for result in peers.values() if isinstance(result, Measured)])
    return report("dedup", figures, aims, options=options)


def compared(kind: str, ours: Measured | str, peers: list[Measured]) -> list[dict[str, Any]]:
    """The aims: twice the fastest, as good as the best, under 4 GiB."""
    if isinstance(ours, str):
        return [aim(f"{kind}: ours ran", 0, least=1)]
    found = [aim(f"{kind}: peak memory, GiB", round(ours.peak_gib, 2), most=4)]
    if peers:
        fastest = max(one.docs_per_s for one in peers)
        found += [
            aim(f"{kind}: times the fastest", round(ours.docs_per_s / fastest, 2), least=2),
            aim(f"{kind}: F1 above the best of them", round(ours.f1 - max(one.f1 for one in peers), 4), least=0),
        ]
    return found


def peer(name: str, kind: str, corpus: Path, truth: Any, folder: Path) -> Measured | str:
    """One library, installed where it is not yet; the error where it does not install or run."""
    python = PEERS / name / "bin/python"
    if not (PEERS / name / "installed").exists():
        shutil.rmtree(PEERS / name, ignore_errors=True)
        venv.create(PEERS / name, with_pip=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", name, *MISSING.get(name, [])],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"did not install: {done.stderr.strip().splitlines()[-1]}"
        (PEERS / name / "installed").touch()
    script = SCRIPTS / f"run_{name.removeprefix('py-').replace('-', '_')}.py"
    return measured([str(python), str(script), str(corpus)], truth, folder, SETTINGS[name][kind])


def measured(command: list[str], truth: Any, folder: Path, *more: str) -> Measured | str:
    """Run it in a folder of its own; the time is from its start, or its ``begin``, to its ``done``, writing included."""
    own = Path(tempfile.mkdtemp(dir=folder))
    begun, log = time.perf_counter(), (own / "log").open("w+")
    child = subprocess.Popen([*command, str(own), *more], stdout=subprocess.PIPE, stderr=log, text=True)
    watch = Watch(child.pid)
    done = 0.0
    for line in child.stdout or ():
        if line.strip() == "begin":
            begun = time.perf_counter()
        if line.strip() == "done":
            done, peak = time.perf_counter(), watch.end()
    watch.end()
    if child.wait() or not done:
        log.seek(0)
        return f"failed: {(log.read().strip().splitlines() or ['no word'])[-1][:300]}"
    found = np.load(own / "clusters.npy")
    shutil.rmtree(own)
    precision, recall = agreement(found, truth)
    return Measured(
        docs_per_s=len(truth) / (done - begun),
        seconds=done - begun,
        peak_gib=peak / 2**30,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / max(precision + recall, 1e-12),
    )


def agreement(found: Any, truth: Any) -> tuple[float, float]:
    """Precision and recall of pairs of rows in one cluster."""
    both = np.unique(np.stack([found, truth]), axis=1, return_counts=True)[1]
    right = int((both * (both - 1) // 2).sum())
    return right / max(pairs_in(found), 1), right / max(pairs_in(truth), 1)


def pairs_in(clusters: Any) -> int:
    sizes = np.unique(clusters, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


if __name__ == "__main__":
    sys.exit(main())
