"""Banking77 from the starter base, the whole recipe: accuracy, time, and what serving loses.

Published: BERT-tuned 0.9366 (Casanueva et al. 2020, arXiv:2003.04807). The cheap baseline (TF-IDF + logistic regression)
is fitted in the same run.
"""

import json
import sys
import tempfile
from pathlib import Path

from measure import ROOT, SHARED, aim, arguments, modelmint, report


def main() -> int:
    options = arguments(__doc__ or "")
    data = SHARED / "banking77"
    if not data.exists():
        print(f"the data is not on this machine: {data}")
        return 0
    quick = [
        "--set",
        "collect.max_rows=2000",
        "--set",
        "train.epochs=1",
        "--set",
        "train.min_steps=0",
        "--set",
        "evaluate.gates={}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        done = modelmint(
            "run", str(ROOT / "examples/banking77/recipe.yaml"), "--set", f"data={data}", "--json",
            *(quick if options.quick else []), home=Path(folder) / "home",
        )  # fmt: skip
    if not done.stdout:
        print(done.stderr)
        return 1
    run = json.loads(done.stdout)
    if run["status"] != "succeeded":
        print(run["status"], run["error"])
        return 1
    accuracy = run["metrics"]["accuracy"]
    served = next(variant for variant in run["variants"] if variant["chosen"])
    lost = accuracy["value"] - served["metrics"]["accuracy"]["value"]
    stages = {f"seconds: {stage['name']}": stage["seconds"] for stage in run["stages"]}
    figures = {
        "test accuracy": f"{accuracy['value']:.4f} ({accuracy['low']:.4f} to {accuracy['high']:.4f}), n = {accuracy['n']}",
        "baseline accuracy": f"{run['baseline']['metrics']['accuracy']['value']:.4f} {run['baseline']['name']}",
        "published BERT": 0.9366,
        "served variant": served["name"],
        **{
            f"variant {each['name']}": f"{each['metrics']['accuracy']['value']:.4f}, {each['size_bytes'] / 1e6:.1f} MB, p50 {each['p50_ms']:.2f} ms, "
            f"{each['throughput_per_s']:.0f}/s, {each['cost_per_million']} per million"
            for each in run["variants"]
        },
        "parity agreement": run["parity"]["agreement"],
        "training examples/s": run["actual"]["examples_per_s"],
        "estimate s / actual s": f"{run['estimate']['seconds']:.0f} / {run['actual']['seconds']:.0f}",
        "seconds: whole recipe": run["seconds"],
        **stages,
    }
    aims = [
        aim("test accuracy", accuracy["value"], least=0.93),
        aim("seconds of the whole recipe", run["seconds"], most=720),
        aim("accuracy lost by the served variant", round(lost, 5), most=0.005),
    ]
    return report("banking77", figures, aims, options=options)


if __name__ == "__main__":
    sys.exit(main())
