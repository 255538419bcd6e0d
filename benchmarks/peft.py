"""Every tuning method with its defaults on Banking77: accuracy, trained share, time, memory, beside training all of it.

    python benchmarks/peft.py                 # all of them: over an hour on two cores
    python benchmarks/peft.py full lora ia3   # some; `full` is what the others are compared with

Each runs in a process of its own, with the starter base and the published split; of the training rows every tenth chooses
the epoch. `naive` is a method with the learning rate of full fine-tuning, to show what its own defaults are worth.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import ROOT, SHARED, Watch, aim, report

SEED = 17
WITHIN = {
    "lora": 0.01, "rslora": 0.01, "dora": 0.01, "qlora": 0.01, "adalora": 0.03, "ia3": 0.03, "adapter": 0.03,
    "prefix": 0.08, "p-tuning": 0.08,
}  # fmt: skip
"""How many points less than full fine-tuning each may have."""
METHODS = ("full", "freeze", *WITHIN, "prompt", "naive ia3", "naive prefix", "naive prompt")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="a few steps each, said so in the output")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    if options.one:
        print(json.dumps(trained(options.one, quick=options.quick)))
        return 0
    if strange := [name for name in options.methods if name not in METHODS]:
        parser.error(f"METHOD must be one of {', '.join(METHODS)}; got {strange[0]}")
    found: dict[str, dict[str, Any]] = {}
    figures: dict[str, Any] = {}
    for method in options.methods or METHODS:
        told = in_a_process(method, quick=options.quick)
        figures[method] = told if isinstance(told, str) else line(told)
        if not isinstance(told, str):
            found[method] = told
        print(f"{method}: {figures[method]}", file=sys.stderr, flush=True)
    aims = []
    if "full" in found:
        full = found["full"]["accuracy"]
        aims = [
            aim(f"{name}: accuracy lost", round(full - found[name]["accuracy"], 4), most=most)
            for name, most in WITHIN.items()
            if name in found
        ]
    return report("peft", figures, aims, options=options)


def line(told: dict[str, Any]) -> str:
    return (
        f"{told['accuracy']:.4f} ({told['low']:.4f} to {told['high']:.4f}), {told['share']:.2%} trained, "
        f"{told['seconds']:.0f} s, {told['peak_gib']:.2f} GiB"
    )


def in_a_process(method: str, *, quick: bool) -> dict[str, Any] | str:
    child = subprocess.Popen(
        [sys.executable, __file__, "--one", method, *(["--quick"] if quick else [])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT / "benchmarks",
    )  # fmt: skip
    watch = Watch(child.pid)
    out, err = child.communicate()
    peak_gib = watch.end() / 2**30
    if child.returncode:
        return f"did not run: {(err.strip().splitlines() or ['no word'])[-1][:200]}"
    return {**json.loads(out.strip().splitlines()[-1]), "peak_gib": peak_gib}


def trained(method: str, *, quick: bool) -> dict[str, Any]:
    """Accuracy on the test rows with its interval, the share of weights that moved, seconds of the stage."""
    sys.path.insert(0, str(Path(__file__).with_name("task_families")))
    import text
    from stage_context import NUM_THREADS, busy_s, stage_context

    from modelmint.evaluation.metrics import classification
    from modelmint.training.tasks import open_model
    from modelmint.training.train import TrainInputs, TrainSpec, train

    is_naive, name = method.startswith("naive "), method.removeprefix("naive ")
    knobs: dict[str, Any] = {"learning_rate": 2e-4, "head_learning_rate": 1e-3} if is_naive else {}
    knobs |= {"max_steps": 20, "min_steps": 0} if quick else {}
    rows, validation, test = text.banking77()
    with tempfile.TemporaryDirectory() as home:
        context = stage_context(Path(home), seed=SEED, num_threads=NUM_THREADS)
        sets = [
            text.dataset(context, part, "text-classification", given)
            for part, given in (("train", rows), ("validation", validation))
        ]
        began_s = busy_s()
        made = train(TrainSpec(method=name, **knobs), TrainInputs(train=sets[0], validation=sets[1]), context)
        seconds = busy_s() - began_s
        answers = open_model(made.model.files.folder()).predict(text.columns(test))
    accuracy = classification.measure_answers(text.columns(test), answers, seed=SEED)["accuracy"]
    facts = made.training.facts
    return {
        "accuracy": accuracy["value"],
        "low": accuracy["low"],
        "high": accuracy["high"],
        "share": facts["trained_parameters"] / facts["parameters"],
        "seconds": seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
