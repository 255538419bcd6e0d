"""Fine-tuning the starter base on Banking77: rows a second, seconds to 90 % accuracy and memory, beside its peers.

All have the same rows, base, epochs, batch of 32 and learning rate, two threads, and one clock, which stands still while
the test rows are predicted (`train_peers/watched.py`) and which ends a contestant that is too slow. The Trainer of Transformers runs as its own text-classification
example does (padded to 128, fp32), padded to the longest of the batch, and with the best of what it offers (bf16, like
lengths together). SetFit learns another way, from pairs of 16 rows a label: its rows are the texts of the pairs. Peers
that are no library here run in an environment of their own under benchmarks/.peers.
"""

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from measure import ROOT, SHARED, Watch, aim, arguments, report

SCRIPTS, PEERS = ROOT / "benchmarks/train_peers", ROOT / "benchmarks/.peers"
EPOCHS, QUICK_ROWS = 3, 640
TEST_ROWS = 1000
INSTALLS = {"setfit": ["setfit==1.2.0"]}
CONTESTANTS = {
    "modelmint": ("run_modelmint.py",),
    "transformers, padded to 128": ("run_trainer.py", "padded"),
    "transformers, dynamic padding": ("run_trainer.py", "dynamic"),
    "transformers, bf16 and by length": ("run_trainer.py", "best"),
    "setfit": ("run_setfit.py",),
}


def main() -> int:
    options = arguments(__doc__ or "")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    figures: dict[str, Any] = {
        f"peak of matrix products, {kind}": f"{rate:,.0f} GFLOP/s" for kind, rate in peaks().items()
    }
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        num_tokens = write(folder, quick=options.quick)
        for contestant, command in CONTESTANTS.items():
            told = contest(contestant, command, folder)
            if isinstance(told, str):
                figures[contestant] = told
                continue
            found[contestant] = told
            figures[contestant] = line(told)
            print(f"{contestant}: {figures[contestant]}", file=sys.stderr, flush=True)
    figures["our share of the peak"] = f"{share(found['modelmint'], num_tokens):.0%}"
    return report("train_speed", figures, aims(found), options=options)


def aims(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """On a machine with bf16 units."""
    ours = found["modelmint"]
    wanted = {"padded to 128": 16.0, "dynamic padding": 5.0, "bf16 and by length": 1.5}
    times = [
        aim(f"times the rows/s of {kind}", round(ours["rows_per_s"] / other["rows_per_s"], 2), least=least)
        for kind, least in wanted.items()
        if (other := found.get(f"transformers, {kind}"))
    ]
    reached = [one["seconds_to_target"] for name, one in found.items() if name != "modelmint"]
    fastest = min((seconds for seconds in reached if seconds is not None), default=float("inf"))
    to_target = ours["seconds_to_target"]
    first = aim("seconds to 90 %, against the fastest other", round(to_target or 1e9, 1), most=fastest)
    good = aim("accuracy at the end", round(ours["accuracy"], 4), least=0.93)
    return [*times, first, good, aim("seconds in all", round(ours["seconds"], 1), most=150)]


def line(told: dict[str, Any]) -> str:
    target = told["seconds_to_target"]
    return (
        f"{told['rows_per_s']:,.1f} rows/s, 90 % {f'after {target:.0f} s' if target else 'not reached'}, "
        f"{'stopped' if told['stopped'] else 'done'} with {told['accuracy']:.4f} after {told['seconds']:.0f} s, "
        f"{told['peak_gib']:.2f} GiB"
    )


def contest(contestant: str, command: tuple[str, ...], folder: Path) -> dict[str, Any] | str:
    """Run one; the reason where it does not install or run."""
    python = interpreter(contestant)
    if isinstance(python, str):
        return python
    script, *more = command
    log = (folder / "log").open("w+")
    child = subprocess.Popen(
        [str(python), str(SCRIPTS / script), str(folder), str(base()), str(EPOCHS), *more],
        stdout=subprocess.PIPE, stderr=log, text=True,
    )  # fmt: skip
    watch = Watch(child.pid)
    out, _ = child.communicate()
    peak_gib = watch.end() / 2**30
    if child.returncode:
        log.seek(0)
        return f"did not run: {(log.read().strip().splitlines() or ['no word'])[-1][:200]}"
    return {**json.loads(out.strip().splitlines()[-1]), "peak_gib": peak_gib}


def interpreter(contestant: str) -> Path | str:
    if contestant not in INSTALLS:
        return Path(sys.executable)
    home = PEERS / contestant
    if not (home / "installed").exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        for wanted in (["torch==2.13.0"], INSTALLS[contestant]):
            done = subprocess.run(
                [home / "bin/python", "-m", "pip", "install", "-q", *wanted],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return f"did not install: {done.stderr.strip().splitlines()[-1]}"
        (home / "installed").touch()
    return home / "bin/python"


def write(folder: Path, *, quick: bool) -> float:
    """train.csv and test.csv; returns how many tokens a training row has on average."""
    from tokenizers import Tokenizer

    for name, most in (("train", QUICK_ROWS if quick else None), ("test", TEST_ROWS)):
        with (SHARED / f"banking77/{name}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        step = max(1, len(rows) // most) if most else 1
        rows = rows[::step][:most]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
        if name == "train":
            tokenizer = Tokenizer.from_file(str(base() / "tokenizer.json"))
            tokenizer.no_padding()
            lengths = [len(one.ids) for one in tokenizer.encode_batch([row["text"] for row in rows])]
    return sum(lengths) / len(lengths)


def base() -> Path:
    from modelmint.training.bases import resolve

    return resolve("starter").folder


def share(told: dict[str, Any], num_tokens: float) -> float:
    """Of the matrix products of the layers alone (6 operations a weight and token) in the machine's bf16 peak."""
    num_weights = 6 * (4 * 384 * 384 + 2 * 384 * 1536)
    rate = told["rows_per_s"] * num_tokens * num_weights * 6 / 1e9
    return float(rate / max(peaks().values()))


def peaks() -> dict[str, float]:
    """GFLOP/s of products of matrices, the best of several."""
    import torch

    torch.set_num_threads(2)
    found = {}
    for kind, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        one, other = torch.randn(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
        best = float("inf")
        for _ in range(30):
            begun = time.perf_counter()
            one @ other
            best = min(best, time.perf_counter() - begun)
        found[kind] = 2 * 1024**3 / best / 1e9
    return found


if __name__ == "__main__":
    sys.exit(main())
