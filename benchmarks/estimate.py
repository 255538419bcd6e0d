"""Preflight's estimate of a training beside what it took: short recipes of many tasks, run by the command as a person would.

Each is told and taken in one run of `modelmint run`; the median of the errors of time is the figure. A busy machine makes
both worse.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from measure import SHARED, aim, arguments, modelmint, report

AIM = 0.25
QUICK = ("starter", "text-cnn", "trees, telco")
CHARACTERS = {"architecture": {"name": "transformer", "num_layers": 2, "width": 128, "num_heads": 4},
              "tokenizer": "characters", "max_tokens": 64, "batch_size": 12, "max_steps": 500, "learning_rate": 0.003}  # fmt: skip
RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "starter": ({"source": "rt_polarity/all.csv.gz"}, {"base": "starter", "epochs": 1, "min_steps": 0}),
    "starter, lora": ({"source": "sms_spam/all.csv.gz"}, {"method": "lora", "epochs": 1, "min_steps": 0}),
    "text-cnn": ({"source": "rt_polarity/all.csv.gz"}, {"architecture": "text-cnn"}),
    "lstm, characters": ({"source": "chnsenticorp/dev.csv"}, {"architecture": "lstm", "tokenizer": "characters", "epochs": 4}),
    "tags": ({"source": "conll2003/train.jsonl.gz", "task": "token-classification", "tags": "ner", "max_rows": 1500},
             {"epochs": 1, "min_steps": 0}),
    "vectors": ({"source": "banking77/test.csv"}, {"task": "text-embedding", "epochs": 1, "min_steps": 0}),
    "trees, credit": ({"source": "credit_default_tw/all.csv.gz", "task": "tabular-classification", "label": "default_next_month"}, {}),
    "trees, telco": ({"source": "telco_churn/all.csv.gz", "task": "tabular-classification", "label": "Churn"}, {}),
    "linear": ({"source": "telco_churn/all.csv.gz", "task": "tabular-classification", "label": "Churn"},
               {"options": {"model": "linear"}}),
    "characters": ({"source": "tinyshakespeare/input.txt.gz", "task": "text-generation"}, CHARACTERS),
    "images": ({"source": "fashion_mnist_small", "task": "image-classification"}, {"max_steps": 120}),
    "translation": ({"source": "multi30k_de_en/train.csv.gz", "task": "text2text-generation", "text": "de", "target": "en",
                     "max_rows": 4000},
                    {"architecture": {"name": "transformer", "num_layers": 2, "width": 128}, "max_tokens": 64, "epochs": 2}),
    "films": ({"source": "movielens_100k/ratings.csv.gz", "task": "recommendation", "time": "timestamp"},
              {"options": {"model": "two-tower"}, "epochs": 5}),
}  # fmt: skip


def main() -> int:
    options = arguments(__doc__ or "")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    figures: dict[str, Any] = {}
    ratios: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in QUICK if options.quick else RECIPES:
            summary = run(Path(folder), name, *RECIPES[name])
            time, error = summary["estimate_error"]["seconds"], summary["estimate_error"]
            ratios.append(time["actual"] / time["estimate"])
            memory.append(abs(error["memory_bytes"]["error"]))
            most = f" (at most {summary['estimate']['most_seconds']:.1f} s)"
            figures[name] = f"told {time['estimate']:.1f} s{most}, taken {time['actual']:.1f} s, {time['error']:+.0%}"
            print(f"{name}: {figures[name]}  {summary['estimate']['parts']}", file=sys.stderr, flush=True)
    found = median(abs(1 / ratio - 1) for ratio in ratios)
    figures |= {
        "median error of time": round(found, 3),
        "the same, each corrected by the others' median": round(median(_corrected(ratios)), 3),
        "median error of memory": round(median(memory), 3),
    }
    return report("estimate", figures, [aim("median error of time", found, most=AIM)], options=options)


def _corrected(ratios: Sequence[float]) -> list[float]:
    """What the errors would be if each estimate were multiplied by the median of the other ratios."""
    others = [median([*ratios[:at], *ratios[at + 1 :]]) if len(ratios) > 1 else 1.0 for at in range(len(ratios))]
    return [abs(factor / ratio - 1) for factor, ratio in zip(others, ratios, strict=True)]


def run(folder: Path, name: str, collect: Mapping[str, Any], train: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of the run."""
    stages: Sequence[Any] = [
        {"collect": {**collect, "source": str(SHARED / collect["source"])}},
        {"preflight": {"near": False, "suspects": False, "train_share": 0.8}},
        {"split": {"test": 0.1, "validation": 0.1, **({"time": "time", "each": "user"} if "time" in collect else {})}},
        {"train": train},
    ]
    recipe = folder / "recipe.yaml"
    recipe.write_text(json.dumps({"name": "estimate", "stages": stages}), encoding="utf-8")  # JSON is YAML
    done = modelmint("run", str(recipe), "--json", home=folder / "home")
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


if __name__ == "__main__":
    sys.exit(main())
