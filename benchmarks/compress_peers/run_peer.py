"""A peer that answers as `modelmint.compression.timed` does: ``run_peer.py KIND FOLDER THREADS``.

Kinds: ``torch``, the model in plain PyTorch and transformers; ``onnx``, an ONNX file as optimum runs it: its tokenizer,
padding to the longest, ONNX Runtime with its own defaults.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np


def opened(kind: str, folder: Path, num_threads: int) -> tuple[Callable[[Sequence[str]], Any], float]:
    """How to ask for logits (num_texts, num_labels), and the seconds that opening took."""
    return (plain_torch if kind == "torch" else plain_onnx)(folder, num_threads)


def plain_torch(folder: Path, num_threads: int) -> tuple[Callable[[Sequence[str]], Any], float]:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(num_threads)
    begun = perf_counter()
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    head = load_file(folder / "2_Dense/model.safetensors")

    def ask(texts: Sequence[str]) -> Any:
        given = tokenizer(list(texts), padding=True, truncation=True, max_length=128, return_tensors="pt")
        with torch.inference_mode():
            states_btd = model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
            mask_bt1 = given["attention_mask"][:, :, None].float()
            means_bd = (states_btd * mask_bt1).sum(1) / mask_bt1.sum(1)
            return (means_bd @ head["linear.weight"].T + head["linear.bias"]).numpy()

    return ask, perf_counter() - begun


def plain_onnx(folder: Path, num_threads: int) -> tuple[Callable[[Sequence[str]], Any], float]:
    import onnxruntime
    from transformers import AutoTokenizer

    begun = perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = [node.name for node in session.get_inputs()]

    def ask(texts: Sequence[str]) -> Any:
        given = tokenizer(list(texts), padding=True, truncation=True, max_length=128, return_tensors="np")
        return session.run(None, {name: given[name].astype(np.int64) for name in names})[0]

    return ask, perf_counter() - begun


if __name__ == "__main__":
    from modelmint.compression.timed import answer

    answer(lambda: opened(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
