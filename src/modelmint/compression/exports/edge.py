"""A bundle for a machine without Modelmint: the variant, its tokenizer, its labels, and a runner of 60 lines.

The runner is `runner.py` of this room, copied as it is; three packages are all that it needs.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelmint.compression.exports.card import read_json
from modelmint.compression.exports.probes import PROBES
from modelmint.compression.exports.source import Say, Source, Written, chosen_variant
from modelmint.core.errors import InputError, StageError
from modelmint.core.formats import size
from modelmint.core.inputs import PAIR, TEXT, how_of, labels_of, reads
from modelmint.core.types import JSON, Model

PACKAGES = ("numpy", "onnxruntime", "tokenizers")
KINDS = ("softmax", "sigmoid", "identity")
MODEL = "model.onnx"

_USAGE = """\
```
python -m venv env
env/bin/pip install -r requirements.txt
env/bin/python run.py "{text}"
```

Python 3.11 or later; no PyTorch, no network. Texts are arguments, lines on standard input, or a column of a CSV file:

```
env/bin/python run.py < lines.txt > answers.jsonl
env/bin/python run.py --csv rows.csv{columns} > answers.jsonl
```

The answer to a text is one JSON line{pairs}. `run.py` first compares every file with SHA256SUMS, and stops where one is
missing or was changed: take the whole folder along.
"""
_USAGE_ZH = """\
```
python -m venv env
env/bin/pip install -r requirements.txt
env/bin/python run.py "{text}"
```

需要 Python 3.11 或更高版本；不需要 PyTorch，也不联网。文本可以写在参数里、从标准输入逐行读，或者取 CSV 文件的一列：

```
env/bin/python run.py < lines.txt > answers.jsonl
env/bin/python run.py --csv rows.csv{columns} > answers.jsonl
```

每个文本得到一行 JSON{pairs}。`run.py` 会先用 SHA256SUMS 核对每个文件，少了或改过就停下：请带走整个文件夹。
"""


def write_edge(source: Source, folder: Path, say: Say) -> Written:
    """The bundle of the chosen variant, or of the one that was named.

    Raises:
        InputError: there is no such variant, or it is none that ONNX Runtime answers with.
        StageError: the runner does not answer as the serving engine does.
    """
    variant = chosen_variant(source)
    files = variant.files.folder()
    about = _about(variant, files)
    for path in (*sorted(files.glob(f"{MODEL}*")), files / "tokenizer.json"):
        shutil.copyfile(path, folder / path.name)
    (folder / "model.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name("runner.py"), folder / "run.py")
    pins = "".join(f"{package}=={version(package)}\n" for package in PACKAGES)
    (folder / "requirements.txt").write_text(pins, encoding="utf-8")
    say(1, 3, "comparing with the serving engine")
    checks = _compared(files, folder, about)
    name, pairs = str(variant.facts["variant"]), about["num_texts"] == 2
    text, columns = ("a text\tanother", " --column text --column text_pair") if pairs else ("a text", " --column text")
    notes = [f"The model is the variant {name}, {size((folder / MODEL).stat().st_size)}."]
    return Written(
        usage=_USAGE.format(text=text, columns=columns, pairs="; a tab parts the two of a pair" if pairs else ""),
        usage_zh=_USAGE_ZH.format(text=text, columns=columns, pairs="；成对的文本用制表符隔开" if pairs else ""),
        checks={"variant": name, "variant_digest": variant.digest, **checks},
        notes=notes,
        licences=[str(one) for one in variant.manifest.get("licences", ())],
    )


def _about(variant: Model, files: Path) -> JSON:
    """What the runner must know."""
    told = read_json(files / "modelmint.json")
    how, columns = how_of(told), reads(told)
    is_onnx = variant.facts.get("engine") == "onnx" and (files / MODEL).is_file()
    if not is_onnx or how.get("by") not in KINDS or columns not in (TEXT, PAIR):
        raise InputError(
            f"variant: must be one of texts or pairs that ONNX Runtime answers with, by {', '.join(KINDS)}; "
            f"{variant.facts.get('variant')} is for {variant.facts.get('engine')}, by {how.get('by')}, and reads {' and '.join(columns)}",
            parameter="variant",
            remedy="Name another with --variant, one whose form begins with onnx.",
        )
    return {
        "task": told.get("task"),
        "labels": labels_of(told),
        "answers": how,
        "num_texts": len(columns),
        "max_tokens": int(told["max_tokens"]),
        "pad_id": int(read_json(files / "config.json").get("pad_token_id") or 0),
        "variant": variant.facts.get("variant"),
    }


def _compared(files: Path, folder: Path, about: JSON) -> JSON:
    """Ask the runner and the serving engine the same."""
    from modelmint.compression.exports import runner
    from modelmint.serving.engines import answers, open_engine

    rows = [[text, PROBES[-1 - at]][: about["num_texts"]] for at, text in enumerate(PROBES)]
    engine = open_engine(files, num_threads=1)
    given = [{"text": row[0], "text_pair": row[1]} if len(row) == 2 else row[0] for row in rows]
    expected = [answers(engine.predict([text]), engine.labels, how=engine.how)[0] for text in given]
    found = [{key: value for key, value in one.items() if key != "text"} for one in runner.answers(folder, about, rows)]
    wrong = next((at for at, one in enumerate(found) if not _alike(one, expected[at])), None)
    if wrong is not None:
        raise StageError(
            f"edge: the runner must answer as the serving engine does; to {given[wrong]!r:.60} it gives {found[wrong]}, "
            f"and the engine {expected[wrong]}",
            parameter="as",
            remedy="Nothing was written. Name another variant with --variant, and report this.",
        )
    return {"num_probes": len(rows), "same_answers_as_the_engine": True}


def _alike(one: JSON, other: JSON) -> bool:
    """Equal but for the last digits of a score: batches and threads round otherwise."""
    return one.keys() == other.keys() and all(
        abs(a - b) <= 1e-5 * max(1.0, abs(b)) if isinstance(a, float) else a == b
        for key in one
        for a, b in zip(_listed(one[key]), _listed(other[key]), strict=True)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
