"""Turns off the telemetry of every library we use, before any of them is imported.

`tests/test_bootstrap.py` runs the product with sockets watched and proves that nothing leaves the machine unasked.
"""

import os
import sys

QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",  # it would fill a stage's log
    "ACCELERATE_DISABLE_RICH": "1",
    "TOKENIZERS_PARALLELISM": "false",  # set explicitly: a fork after use warns and may hang otherwise
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def silence() -> None:
    """Set each variable of `QUIET` unless the user has set it; let no library fetch code from the hub and run it, nor
    OpenVINO send what it does to a server, as it would when it is imported.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("kernels", "openvino_telemetry"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: as if it were not installed
