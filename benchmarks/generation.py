"""Models that write: what fewer bits cost and gain, beside transformers' own `generate`.

    python benchmarks/generation.py            # speed on a Llama of 80 million numbers, worth on a chat model of GSM8K
    python benchmarks/generation.py --quick    # a small Llama and a few steps, to see that it works

Speed does not depend on what the numbers are, so that they are random: 128 tokens are read, 64 written, by turns, five
rounds, the median. `first` is until the first token is there. Worth is that of `compress` on 300 chats of the published
test rows, after a training from nothing on 2,000 questions; such a model writes the form of solutions, not right ones.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import SHARED, aim, arguments, report
from stage_context import NUM_THREADS, stage_context

from modelmint.compression.compress import CompressInputs, CompressSpec, compress
from modelmint.compression.genai import PRECISIONS, build
from modelmint.core.sampling import Sampling
from modelmint.serving.writers import open_writer
from modelmint.training.train import TrainInputs, TrainSpec, train

SEED = 17
NUM_READ, NUM_WRITTEN, ROUNDS = 128, 64, 5
NUM_ROWS = 2_000
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 500,
}
LLAMA = {
    "hidden_size": 640, "intermediate_size": 1_792, "num_hidden_layers": 12, "num_attention_heads": 10,
    "num_key_value_heads": 5, "vocab_size": 32_000,
}  # fmt: skip
Write = Callable[[int], float]
"""Write so many tokens; seconds that it took."""


def main() -> int:
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        figures = speeds(Path(folder), quick=options.quick)
        if SHARED.exists():
            sys.path.insert(0, str(Path(__file__).with_name("task_families")))
            figures |= worth(Path(folder), quick=options.quick)
    fastest = max(figures[f"genai-{name}"]["tokens/s"] for name in PRECISIONS)
    plain = max(figures[name]["tokens/s"] for name in ("transformers fp32", "transformers bf16"))
    aims = [aim("tokens a second, times transformers' best", round(fastest / plain, 2), least=3)]
    return report("generation", {name: told(value) for name, value in figures.items()}, aims, options=options)


def told(value: Any) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


def speeds(home: Path, *, quick: bool) -> dict[str, Any]:
    """Name -> file, milliseconds to the first token, tokens a second of the others."""
    import torch

    torch.set_num_threads(NUM_THREADS)
    source = _llama(home / "llama", SMALL if quick else LLAMA)
    ways: dict[str, tuple[float, Write]] = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        size_mb = (source / "model.safetensors").stat().st_size / 1e6 / (1 if name == "fp32" else 2)
        ways[f"transformers {name}"] = size_mb, _plain(source, kind)
    for name in PRECISIONS:
        folder = build(source, home / f"genai-{name}", name, scratch=home)
        for file in ("tokenizer.json", "modelmint.json"):
            (folder / file).write_bytes((source / file).read_bytes())
        size_mb = sum(file.stat().st_size for file in folder.glob("model.onnx*")) / 1e6
        ways[f"genai-{name}"] = size_mb, _ours(folder)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):  # the first is a warm-up
        for name, (_, write) in ways.items():
            times[name].append((write(1), write(NUM_WRITTEN)))
    return {
        name: {
            "MB": round(size_mb, 1),
            "first ms": round(1e3 * statistics.median(first for first, _ in times[name][1:]), 1),
            "tokens/s": round(
                statistics.median((NUM_WRITTEN - 1) / (whole - first) for first, whole in times[name][1:]), 1
            ),
        }
        for name, (size_mb, _) in ways.items()
    }


def _llama(folder: Path, sizes: dict[str, int]) -> Path:
    import json

    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(SEED)
    ends = {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
    LlamaForCausalLM(
        LlamaConfig(**sizes, max_position_embeddings=512, tie_word_embeddings=True, **ends)
    ).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({f"t{at}": at for at in range(sizes["vocab_size"])}, unk_token="t0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="t2").save_pretrained(folder)
    about = {"engine": "genai", "task": "chat", "max_tokens": 512, "stop_ids": [2], "pad_id": 0}
    (folder / "modelmint.json").write_text(json.dumps(about))
    return folder


def _plain(source: Path, kind: Any) -> Write:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(source, dtype=kind).eval()
    ids_1t = torch.arange(10, 10 + NUM_READ)[None]

    def write(num_tokens: int) -> float:
        began_s = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                ids_1t, attention_mask=torch.ones_like(ids_1t), do_sample=False, max_new_tokens=num_tokens,
                min_new_tokens=num_tokens,
            )  # fmt: skip
        return time.perf_counter() - began_s

    return write


def _ours(folder: Path) -> Write:
    writer = open_writer(folder, NUM_THREADS)

    def write(num_tokens: int) -> float:
        began_s = time.perf_counter()
        writing = writer.begin(range(10, 10 + NUM_READ), Sampling(max_new_tokens=num_tokens, min_new_tokens=num_tokens))
        while writing.step():
            pass
        return time.perf_counter() - began_s

    return write


def worth(home: Path, *, quick: bool) -> dict[str, Any]:
    """Of each form: the loss of a token of the answers, how often it would say what the trained model would, its file."""
    import chat

    rows, test = chat._chats(chat._rows("train")), chat._chats(chat._rows("test"))
    context = stage_context(home / "chat", seed=SEED, num_threads=NUM_THREADS)
    sets = {
        "train": chat._dataset(context, "train", "chat", rows[400 : 560 if quick else 400 + NUM_ROWS]),
        "validation": chat._dataset(context, "validation", "chat", rows[:300]),
    }
    spec = chat.CHAT | (chat.QUICK if quick else {"epochs": 2})
    model = train(TrainSpec(**spec), TrainInputs(**sets), context).model
    inputs = CompressInputs(
        model=model,
        validation=sets["validation"],
        test=chat._dataset(context, "test", "chat", test[: 20 if quick else 300]),
    )
    found = compress(CompressSpec(timed_rows=8), inputs, context).compression
    return {
        "GSM8K, trained": {"loss": found.facts["model"]["metrics"]["answer_loss"]["value"]},
        **{
            f"GSM8K, {one['name']}": {
                "loss": one["metrics"]["answer_loss"]["value"],
                "same token": one["agreement"],
                "MB": round(one["size_bytes"] / 1e6, 1),
            }
            for one in found.facts["variants"]
        },
    }


if __name__ == "__main__":
    sys.exit(main())
