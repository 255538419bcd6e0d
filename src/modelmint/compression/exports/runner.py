"""Ask the model in this folder; answers are JSON lines. It needs what requirements.txt names: no PyTorch, no network.

python run.py "a text" "another"   |   python run.py --csv rows.csv --column text   |   python run.py < lines.txt
"""

import argparse
import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def answers(folder: Path, about: dict[str, Any], rows: Any) -> Any:
    """``{"text", "label", "score"}`` a row of one text, or two; of several labels ``labels`` and ``label_scores``, of a number ``value``."""
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(about["max_tokens"])
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names, labels, how = [node.name for node in session.get_inputs()], about["labels"], about["answers"]
    for texts in rows:
        if len(texts) != about["num_texts"]:
            sys.exit(f"run.py: a row must have {about['num_texts']} texts; got {len(texts)}: {texts}")
        one, answer = tokenizer.encode(*texts), {"text": texts[0] if len(texts) == 1 else texts}
        feeds = {"input_ids": one.ids or [about["pad_id"]], "attention_mask": one.attention_mask or [0]}
        feeds["token_type_ids"] = one.type_ids or [0]
        logits = session.run(["logits"], {name: np.array([feeds[name]], np.int64) for name in names})[0][0]
        if how["by"] == "identity":
            yield answer | {"value": float(logits[0]) * how["scale"] + how["mean"]}
        elif how["by"] == "sigmoid":
            scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
            found = [at for at in np.argsort(-scores, kind="stable") if scores[at] >= how["thresholds"][at]]
            sure = [round(float(scores[at]), 6) for at in found]
            yield answer | {"labels": [labels[at] for at in found], "label_scores": sure}
        else:
            scores = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            yield answer | {"label": labels[scores.argmax()], "score": round(float(scores.max()), 6)}


if __name__ == "__main__":
    here, parser = Path(__file__).resolve().parent, argparse.ArgumentParser(description="Answers as JSON lines.")
    parser.add_argument("texts", nargs="*", help="of a model of pairs with a tab between the two")
    parser.add_argument("--csv", type=Path, help="a file with a head line, in UTF-8")
    parser.add_argument("--column", action="append", help="its column of texts; twice for pairs  [text]")
    asked = parser.parse_args()
    for digest, _, name in (line.partition("  ") for line in (here / "SHA256SUMS").read_text("utf-8").splitlines()):
        if not (here / name).is_file() or hashlib.sha256((here / name).read_bytes()).hexdigest() != digest:
            sys.exit(f"run.py: {name} is missing or was changed. Copy the whole folder again.")
    known, columns = json.loads((here / "model.json").read_text("utf-8")), asked.column or ["text"]
    table = csv.DictReader(asked.csv.open(encoding="utf-8-sig", newline="")) if asked.csv else None
    if table and not {*columns} <= {*(table.fieldnames or ())}:
        sys.exit(f"run.py: {asked.csv} must have the columns {columns}; it has {table.fieldnames}. Give --column.")
    lines = (line.rstrip("\r\n").split("\t", known["num_texts"] - 1) for line in asked.texts or sys.stdin)
    rows = ([row[name] or "" for name in columns] for row in table) if table else lines
    sys.stdout.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in answers(here, known, rows))
