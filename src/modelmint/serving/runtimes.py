"""What executes a variant's ONNX file: arrays by name in, logits out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelmint.core.errors import InputError
from modelmint.core.types import JSON

Feeds: TypeAlias = Mapping[str, NDArray[Any]]
Logits: TypeAlias = NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """A file that is open. One thread at a time may call `run`."""

    names: frozenset[str]
    """The inputs that it reads."""
    run: Callable[[Feeds], Logits]


def open_runtime(path: Path, num_threads: int, about: JSON) -> Runtime:
    """Open a variant's file by the engine that its modelmint.json names: ``onnx``, the default, or ``openvino``.

    Raises:
        InputError: another engine, or settings that OpenVINO does not know or this machine cannot keep to.
        UnavailableError: OpenVINO is not installed.
    """
    engine = about.get("engine", "onnx")
    if engine == "openvino":
        from modelmint.serving.openvino_runtime import open_openvino

        return open_openvino(path, num_threads, about.get("settings", {}))
    if engine != "onnx":
        raise InputError(
            f"variant: its engine must be onnx or openvino; got {engine!r}",
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
