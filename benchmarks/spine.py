"""How long a person waits for what is no work: help, import, a run that is known, a cancel."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from measure import ROOT, aim, arguments, modelmint, report

REPEATS = 5


def main() -> int:
    options = arguments(__doc__ or "")
    help_s = best(["-m", "modelmint", "--help"])
    import_s = best(["-c", "import modelmint"])
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        first_s, again_s = twice(home, options.quick)
        cancel_s = cancelled(Path(folder))
    figures = {
        "modelmint --help, s": help_s,
        "import modelmint, s": import_s,
        "demo recipe, first run, s": first_s,
        "demo recipe, second run, s": again_s,
        "cancel until no process is left, s": cancel_s,
    }
    aims = [
        aim("modelmint --help, s", help_s, most=0.4),
        aim("import modelmint, s", import_s, most=0.4),
        aim("demo recipe, second run, s", again_s, most=5),
        aim("cancel, s", cancel_s, most=2),
    ]
    return report("spine", figures, aims, options=options)


def best(words: list[str]) -> float:
    """The best of some runs of Python with these arguments, in seconds, start of the interpreter included."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    return round(min(times), 3)


def twice(home: Path, quick: bool) -> tuple[float, float]:
    """Wall time of the command, first and second time."""
    recipe = str(ROOT / "examples/customer-service/recipe.yaml")
    words = ["--set", "train.epochs=1", "--set", "train.min_steps=0", "--set", "evaluate.gates={}"] if quick else []
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        done = modelmint("run", recipe, *words, "--json", home=home)
        times.append(round(time.perf_counter() - begun, 2))
        if done.returncode:
            sys.exit(done.stderr)
    return times[0], times[1]


def cancelled(folder: Path) -> float:
    """Seconds from the cancel until the run says so and its processes are gone."""
    rows = "\n".join(f"question number {number},label{number % 3}" for number in range(2_000_000))
    (folder / "large.csv").write_text(f"text,label\n{rows}\n")
    (folder / "recipe.yaml").write_text("stages:\n  - collect: {source: large.csv}\n")
    home = folder / "cancelled"
    runner = threading.Thread(target=modelmint, args=("run", str(folder / "recipe.yaml")), kwargs={"home": home})
    runner.start()
    while not (runs := json.loads(modelmint("runs", "--json", home=home).stdout)) or runs[0]["status"] != "running":
        time.sleep(0.1)
    time.sleep(3)
    begun = time.perf_counter()
    modelmint("cancel", runs[0]["run"], home=home)
    runner.join()
    return round(time.perf_counter() - begun, 2)


if __name__ == "__main__":
    sys.exit(main())
