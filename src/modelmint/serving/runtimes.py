"""What executes a variant's file: arrays by name in, logits out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelmint.core.coefficients import FILE as COEFFICIENTS
from modelmint.core.coefficients import Coefficients
from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.inputs import labels_of
from modelmint.core.types import JSON

MODEL_FILES = {"onnx": "model.onnx", "openvino": "model.onnx", "lightgbm": "model.txt", "numpy": COEFFICIENTS}
"""By the engine that reads it."""
Feeds: TypeAlias = Mapping[str, NDArray[Any]]
Logits: TypeAlias = NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """A file that is open. One thread at a time may call `run`."""

    names: frozenset[str]
    """The inputs that it reads."""
    run: Callable[[Feeds], Logits]


def open_runtime(path: Path, num_threads: int, about: JSON) -> Runtime:
    """Open a variant's file by the engine that its modelmint.json names (`MODEL_FILES`); ``onnx`` is the default.

    Raises:
        InputError: another engine, or settings that OpenVINO does not know or this machine cannot keep to.
        UnavailableError: OpenVINO is not installed.
    """
    engine = about.get("engine", "onnx")
    if engine == "openvino":
        from modelmint.serving.openvino_runtime import open_openvino

        return open_openvino(path, num_threads, about.get("settings", {}))
    if engine == "lightgbm":
        return _open_trees(path, about)
    if engine == "numpy":
        return _of_numbers(Coefficients.load(path).raw, about)
    if engine != "onnx":
        raise InputError(
            f"variant: its engine must be one of {', '.join(MODEL_FILES)}; got {engine!r}",
            parameter="variant",
            remedy="Serve a variant that the verb `compress` made.",
        )
    return _open_onnx(path, num_threads)


def _open_onnx(path: Path, num_threads: int) -> Runtime:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle cores belong to HTTP
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Runtime(
        names=frozenset(node.name for node in session.get_inputs()),
        run=lambda feeds: np.asarray(session.run(["logits"], feeds)[0], np.float32),
    )


def _open_trees(path: Path, about: JSON) -> Runtime:
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))
    except lightgbm.basic.LightGBMError as error:
        raise IntegrityError(
            f"variant: {path.name} is not a model of LightGBM: {error}",
            remedy="Run the verb `compress` again with --fresh.",
        ) from error
    num_labels = len(labels_of(about))

    def raw(numbers: NDArray[Any]) -> NDArray[Any]:
        found = np.asarray(booster.predict(numbers, raw_score=True, num_threads=1), dtype=np.float64)
        return np.column_stack([np.zeros(len(found)), found]) if num_labels == 2 else found.reshape(len(numbers), -1)

    return _of_numbers(raw, about)


def _of_numbers(raw: Callable[[NDArray[Any]], NDArray[Any]], about: JSON) -> Runtime:
    """Of a model that reads rows of numbers and gives logits, or a number: of this the deviations that are asked for."""
    how = about.get("answers") or {}
    mean, scale = float(how.get("mean", 0.0)), float(how.get("scale", 1.0))
    return Runtime(names=frozenset(["numbers"]), run=lambda feeds: (raw(feeds["numbers"]) - mean) / scale)
