"""A process that opens one model and is timed: ``python -m modelmint.compression.timed FOLDER THREADS``.

A line of JSON in, one out: ``{"texts": [...], "size": 32, "most_s": 1.0}`` is answered with ``{"times_s": [...]}``, a
time for each request of `size` texts, as many as fit into `most_s`, at least one. The first line out, unasked, says how
long opening took. Every line says the highest memory of the process so far. It ends when its input does.

A process of its own, so that memory is that of this model alone, and one that crashes is named and the others go on.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from modelmint.core.bootstrap import silence
from modelmint.core.clock import monotonic_s
from modelmint.core.inputs import CHATS, reads, to_rows
from modelmint.core.sampling import Sampling
from modelmint.serving.writers import open_writer, writes

ANSWER = Sampling(max_new_tokens=32, min_new_tokens=32)
"""What a model writes to each chat or text, whether or not it would stop: the same work for every variant."""
Ask = Callable[[Sequence[Any]], Any]
"""Inputs (`core.inputs`), chats or texts in, answers out."""


def answer(opened: Callable[[], tuple[Ask, float]]) -> None:
    """Open, then answer until the input ends.

    Args:
        opened: gives how to ask the model, and how many seconds it took to open once the libraries were there.
    """
    silence()
    with os.fdopen(os.dup(1), "w", encoding="ascii") as out:
        os.dup2(2, 1)  # what libraries print is no answer

        def say(told: dict[str, Any]) -> None:
            out.write(json.dumps(told | {"peak_bytes": _peak_bytes()}) + "\n")
            out.flush()

        ask, load_s = opened()
        say({"load_ms": load_s * 1e3})
        for line in sys.stdin:
            order = json.loads(line)
            say({"times_s": list(_times_s(ask, order["texts"], order["size"], order["most_s"]))})


def _opened(folder: Path, num_threads: int) -> tuple[Ask, float]:
    if writes(folder):
        return _opened_writer(folder, num_threads)
    if "variant" in json.loads((folder / "modelmint.json").read_text(encoding="utf-8")):
        _import_of_engines(folder)  # no part of opening a model
        from modelmint.serving.engines import open_engine

        started_s = monotonic_s()
        engine = open_engine(folder, num_threads)
        return engine.predict, monotonic_s() - started_s
    import torch
    from transformers import AutoModel, AutoTokenizer  # noqa: F401

    from modelmint.training.tasks import TASKS, open_model, read_about
    from modelmint.training.tasks.chat_model import load_chat

    about = read_about(folder)
    columns = reads(about)
    importlib.import_module(TASKS[about["task"]].predictor.partition(":")[0])
    torch.set_num_threads(num_threads)
    started_s = monotonic_s()
    predictor: Any = (load_chat if about["task"] in CHATS else open_model)(folder)
    if about["task"] in CHATS:
        return (lambda chats: predictor.answer(chats, sampling=ANSWER)), monotonic_s() - started_s
    if about["task"] == "text-generation":
        return (lambda texts: predictor.write(texts, ANSWER)), monotonic_s() - started_s
    return lambda texts: predictor.predict(to_rows(texts, columns)), monotonic_s() - started_s


def _import_of_engines(folder: Path) -> None:
    if (folder / "model.onnx").is_file():
        import onnxruntime  # noqa: F401
        import tokenizers  # noqa: F401
    elif (folder / "model.txt").is_file():
        import lightgbm  # noqa: F401


def _opened_writer(folder: Path, num_threads: int) -> tuple[Ask, float]:
    import onnxruntime_genai  # noqa: F401
    import tokenizers  # noqa: F401

    started_s = monotonic_s()
    writer = open_writer(folder, num_threads)

    def ask(given: Sequence[Any]) -> Any:
        writings = []
        for one in given:
            writings.append(writer.start(one, None, ANSWER))
            while writings[-1].step():
                pass
        return [writing.text for writing in writings]

    return ask, monotonic_s() - started_s


def _times_s(ask: Ask, texts: Sequence[Any], size: int, most_s: float) -> Iterator[float]:
    spent_s = 0.0
    for at in range(0, len(texts), size):
        started_s = monotonic_s()
        ask(texts[at : at + size])
        took_s = monotonic_s() - started_s
        yield took_s
        spent_s += took_s
        if spent_s > most_s:
            break


def _peak_bytes() -> int:
    """Of this program alone: what getrusage says has the memory of the process that started it in it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    answer(lambda: _opened(Path(sys.argv[1]), int(sys.argv[2])))
