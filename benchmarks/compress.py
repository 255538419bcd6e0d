"""Banking77 compressed: our variants beside plain PyTorch and what optimum does, on the same model, rows and threads.

The starter base is trained by `train` on the published split and compressed by `compress`. The peers have the same
weights: plain PyTorch with transformers; the ONNX export as optimum makes it (fp32); and that with ONNX Runtime's
`quantize_dynamic` at its defaults, which is what optimum calls. (optimum-onnx itself does not install beside
transformers 5.) All are timed again in one go, in turns, each in a process of its own: one text at a time and requests
of 32, with tokenization. Accuracy is that of all test rows in requests of 32.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import ROOT, SHARED, aim, arguments, report

SEED, TIMED_ROWS = 17, 320
PEER = ROOT / "benchmarks/compress_peers/run_peer.py"
TRIED = (
    "onnx-fp32", "onnx-fp16", "onnx-int8", "onnx-int8-mixed", "onnx-int8-static",
    "openvino-fp32", "openvino-bf16", "openvino-int8",
    "vocabulary/onnx-int8-static", "layers-3+vocabulary/onnx-int8-static", "layers-2+vocabulary/openvino-int8",
    "static/onnx-fp32", "static/onnx-int8-static",
)  # fmt: skip
QUICK = ("onnx-fp32", "onnx-int8", "onnx-int8-static", "openvino-bf16", "openvino-int8", "vocabulary/onnx-int8-static")
TORCH, EXPORT, DYNAMIC = "PyTorch fp32", "optimum-style ONNX fp32", "optimum-style dynamic int8"
NUM_WEIGHTS = 6 * (4 * 384 * 384 + 2 * 384 * 1536)
"""Of the starter's layers, each used once a token."""


def main() -> int:
    options = arguments(__doc__ or "")
    if not SHARED.exists():
        print(f"the data is not on this machine: {SHARED}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        figures, aims = measured(Path(name), quick=options.quick)
    return report("compress", figures, aims, options=options)


def measured(home: Path, *, quick: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from stage_context import NUM_THREADS, stage_context
    from task_families import text

    from modelmint.compression.compress import CompressInputs, CompressSpec, compress
    from modelmint.compression.measure import Speed, command_of, measure_speeds
    from modelmint.training.train import TrainInputs, TrainSpec, train

    context = stage_context(home / "stages", seed=SEED, num_threads=NUM_THREADS)
    rows, validation, test = text.banking77()
    test = test[::5] if quick else test
    sets = {
        name: text.dataset(context, name, "text-classification", given)
        for name, given in (("train", rows), ("validation", validation), ("test", test))
    }
    spec = TrainSpec(max_steps=40, min_steps=0) if quick else TrainSpec()
    model = train(spec, TrainInputs(train=sets["train"], validation=sets["validation"]), context).model
    progress(f"trained: {model.size_bytes / 1e6:.0f} MB")
    made = compress(
        CompressSpec(try_=QUICK if quick else TRIED, timed_rows=1), CompressInputs(model=model, **sets), context
    )
    facts = made.compression.facts
    folders = {TORCH: model.files.folder(), **peers(model.files.folder(), home)}
    commands = {
        name: [sys.executable, str(PEER), "torch" if name == TORCH else "onnx", str(folder), str(NUM_THREADS)]
        for name, folder in folders.items()
    }
    commands |= {one.name: command_of(one.files.folder(), NUM_THREADS) for one in made.variants}
    progress(f"timing {len(commands)}")
    speeds = measure_speeds(commands, [row["text"] for row in test[-TIMED_ROWS:]])
    found = {}
    for name, speed in speeds.items():
        if not isinstance(speed, Speed):
            raise SystemExit(f"{name}: {speed}")
        found[name] = speed.to_json(context.machine_hour)
    for name, folder in folders.items():
        found[name] |= {"accuracy": asked(name, folder, test, NUM_THREADS), "size_mb": size_mb(folder)}
    for one in facts["variants"]:
        found[one["name"]] |= {
            "accuracy": one["metrics"]["accuracy"]["value"],
            "size_mb": one["size_bytes"] / 1e6,
            "agreement": one["agreement"],
        }
    highest, num_tokens = peaks(NUM_THREADS), tokens_of(model.files.folder(), test)
    figures: dict[str, Any] = {
        f"peak of matrix products, {kind}": f"{rate:,.0f} GFLOP/s" for kind, rate in highest.items()
    }
    for name, one in found.items():
        figures[name] = line(one, found[TORCH], name, highest, num_tokens)
    figures |= {f"{one['name']}: could not be made": one["reason"] for one in facts["failed"]}
    return figures, aims(found)


def aims(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What the best of ours reach against the trained model in PyTorch, and the fastest good one against optimum."""
    torch, others = found[TORCH], (TORCH, EXPORT, DYNAMIC)

    def fastest(points: float, smaller: float) -> float:
        rates = [
            one["throughput_per_s"] / torch["throughput_per_s"]
            for name, one in found.items()
            if name not in others
            and torch["accuracy"] - one["accuracy"] <= points + 1e-9
            and torch["size_mb"] / one["size_mb"] >= smaller
        ]
        return round(max(rates, default=0.0), 2)

    good = max(
        (
            one
            for name, one in found.items()
            if name not in others and torch["accuracy"] - one["accuracy"] <= 0.005 + 1e-9
        ),
        key=lambda one: float(one["throughput_per_s"]),
        default=torch,
    )
    times = good["throughput_per_s"] / found[DYNAMIC]["throughput_per_s"]
    return [
        aim("times PyTorch's texts/s, a file 4 times smaller, at most 0.5 points lost", fastest(0.005, 4.0), least=3.0),
        aim("times PyTorch's texts/s at most 2 points lost", fastest(0.02, 0.0), least=10.0),
        aim("times the texts/s of optimum-style dynamic int8, at most 0.5 points lost", round(times, 2), least=1.0),
    ]


def line(one: dict[str, Any], torch: dict[str, Any], name: str, peak: dict[str, float], num_tokens: float) -> str:
    agreement = f" ({one['agreement']:.2%} the same label)" if "agreement" in one else ""
    share = ""
    if "/" not in name:  # the products of a smaller body are others
        kind = "int8" if "int8" in name else "bf16" if "bf16" in name else "fp32"
        share = f", {one['throughput_per_s'] * num_tokens * NUM_WEIGHTS * 2 / 1e9 / peak[kind]:.0%} of the {kind} peak"
    return (
        f"{one['accuracy']:.4f}{agreement}, {one['size_mb']:.1f} MB, p50 {one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms, "
        f"{one['throughput_1_per_s']:,.0f} texts/s alone, {one['throughput_per_s']:,.0f} in 32s "
        f"({one['throughput_per_s'] / torch['throughput_per_s']:.1f}x, spread {one['spread']:.0%}){share}, "
        f"opens in {one['load_ms']:.0f} ms, {one['peak_mb']:.0f} MB memory, energy {one['joules_per_1000']}, "
        f"{one['cost_per_million']} a million"
    )


def peers(trained: Path, home: Path) -> dict[str, Path]:
    """The ONNX files that optimum would make: the export, and ONNX Runtime's dynamic quantization of it."""
    from onnxruntime.quantization import quantize_dynamic

    from modelmint.compression.export import export_onnx, quiet

    folders = {}
    for name in (EXPORT, DYNAMIC):
        folder = home / name.replace(" ", "-")
        shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        folders[name] = folder
    export_onnx(trained, folders[EXPORT] / "model.onnx")
    with quiet():
        quantize_dynamic(folders[EXPORT] / "model.onnx", folders[DYNAMIC] / "model.onnx")
    return folders


def asked(name: str, folder: Path, test: Sequence[dict[str, Any]], num_threads: int) -> float:
    import json

    sys.path.insert(0, str(PEER.parent))
    from run_peer import opened

    ask, _ = opened("torch" if name == TORCH else "onnx", folder, num_threads)
    labels = json.loads((folder / "config.json").read_text())["id2label"]
    right = 0
    for at in range(0, len(test), 32):
        part = test[at : at + 32]
        best = ask([row["text"] for row in part]).argmax(axis=1).tolist()
        right += sum(labels[str(one)] == row["label"] for one, row in zip(best, part, strict=True))
    return right / len(test)


def size_mb(folder: Path) -> float:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.suffix in (".safetensors", ".onnx")) / 1e6


def tokens_of(folder: Path, test: Sequence[dict[str, Any]]) -> float:
    """A text's, on average."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    lengths = [len(one.ids) for one in tokenizer.encode_batch([row["text"] for row in test[-TIMED_ROWS:]])]
    return sum(lengths) / len(lengths)


def peaks(num_threads: int) -> dict[str, float]:
    """GFLOP/s of products of matrices in PyTorch and ONNX Runtime, the best of several."""
    import torch

    torch.set_num_threads(num_threads)
    size = 1024
    wide, ints = torch.randn(size, size), torch.randint(-100, 100, (size, size), dtype=torch.int8)
    half = wide.bfloat16()
    ways = {"fp32": lambda: wide @ wide, "bf16": lambda: half @ half, "int8": lambda: torch._int_mm(ints, ints)}
    found = {kind: fastest_of(product, size) for kind, product in ways.items()}
    return found | {"int8": max(found["int8"], fastest_of(integer_product(size, num_threads), size))}


def fastest_of(product: Any, size: int) -> float:
    best = float("inf")
    for _ in range(30):
        begun = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - begun)
    return float(2 * size**3 / best / 1e9)


def integer_product(size: int, num_threads: int) -> Any:
    """8-bit numbers without a sign by 8-bit weights, as ONNX Runtime multiplies them."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.random.default_rng(0).integers(-64, 64, (size, size), np.int8), "weights")
    given, gives = (
        helper.make_tensor_value_info(name, kind, [size, size])
        for name, kind in (("given", TensorProto.UINT8), ("gives", TensorProto.INT32))
    )
    node = helper.make_node("MatMulInteger", ["given", "weights"], ["gives"])
    model = helper.make_model(
        helper.make_graph([node], "product", [given], [gives], [weights]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    numbers = np.random.default_rng(1).integers(0, 255, (size, size), np.uint8)
    return lambda: session.run(None, {"given": numbers})


def progress(word: str) -> None:
    print(word, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
