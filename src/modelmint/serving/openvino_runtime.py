"""An ONNX file run by OpenVINO, the extra `openvino`: faster than ONNX Runtime on processors with matrix units.

Left to itself OpenVINO computes in bfloat16 wherever the processor can, so a variant says in its modelmint.json in
which precision it was measured, and is refused on a machine that cannot compute in it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelmint.core.errors import InputError, UnavailableError
from modelmint.serving.runtimes import Feeds, Logits, Runtime

SETTINGS = {"INFERENCE_PRECISION_HINT": ("f32", "bf16")}
"""What a variant may set, and to what."""


def open_openvino(path: Path, num_threads: int, settings: Mapping[str, str]) -> Runtime:
    """Compile the file for this machine's processor.

    Raises:
        UnavailableError: OpenVINO is not installed.
        InputError: a setting that is none, or one that this machine cannot keep to.
    """
    openvino = _imported()
    for name, value in settings.items():
        if value not in SETTINGS.get(name, ()):
            raise InputError(
                f"settings.{name}: must be one of {', '.join(SETTINGS)} with a known value; got {value!r}",
                parameter="settings",
                remedy="Make the variant again with the verb `compress`.",
            )
    wanted = {
        **settings,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(num_threads),
        "ENABLE_CPU_PINNING": "NO",  # cores are shared with HTTP
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", wanted)
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if precision != settings.get("INFERENCE_PRECISION_HINT", precision):
        raise InputError(
            f"variant: was measured in {settings['INFERENCE_PRECISION_HINT']}, in which this processor does not compute "
            f"with OpenVINO; it offers {precision}",
            parameter="variant",
            remedy="Serve it on a machine like the one that made it, or run `compress` here.",
        )
    request = compiled.create_infer_request()
    names: Sequence[str] = [port.get_any_name() for port in compiled.inputs]

    def run(feeds: Feeds) -> Logits:
        found: Any = request.infer(feeds)[0]
        return found.copy()  # type: ignore[no-any-return]  # the request's own memory, written again by the next call

    return Runtime(names=frozenset(names), run=run)


def _imported() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise UnavailableError(
            "openvino: is not installed, and the variant is executed by it",
            parameter="variant",
            remedy="pip install 'modelmint[openvino]', or choose a variant of ONNX Runtime.",
        ) from error
    return openvino
