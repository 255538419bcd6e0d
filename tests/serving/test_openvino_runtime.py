"""OpenVINO as an engine: its telemetry stays off, and where it is not installed that is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from modelmint.core.errors import UnavailableError
from modelmint.serving.runtimes import open_runtime


def test_its_telemetry_cannot_be_imported() -> None:
    pytest.importorskip("openvino")
    look = "import modelmint, sys, openvino; print(sys.modules['openvino_telemetry'])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


def test_where_it_is_not_installed_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnavailableError) as caught:
        open_runtime(tmp_path / "model.onnx", 1, {"engine": "openvino"})
    assert "modelmint[openvino]" in str(caught.value)
