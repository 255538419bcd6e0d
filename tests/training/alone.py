"""One training of the tiny base in a process of its own: ``python alone.py HOME BASE SPEC_AS_JSON NUM_ROWS MEMORY_MB``.

It may hold so many megabytes more than it does when it begins to read. What it says and its answer go to ``answer.json``.
"""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelmint.core.errors import ModelmintError
from modelmint.training.train import TrainInputs, TrainSpec, train
from tests.tiny_base import questions
from tests.training.places import new_context, new_dataset


def learn(
    home: Path, base: Path, spec: dict[str, Any], *, num_rows: int, say: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """Train on `home`, whose checkpoints are gone on from."""
    context = new_context(home, say)
    inputs = TrainInputs(
        train=new_dataset(context, "train", questions(num_rows)),
        validation=new_dataset(context, "held", questions(60, seed=9)),
    )
    made = train(TrainSpec(base=str(base), **spec), inputs, context)
    return {
        "model": made.model.digest,
        "training": made.training.digest,
        "curve": made.training.facts["curve"],
        "measured": dict(made.training.measured),
    }


def main() -> None:
    home, base, spec, num_rows, memory_mb = sys.argv[1:]
    said: list[str] = []

    def say(_done: int, _total: int, message: str) -> None:
        if not said:
            held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (held + int(memory_mb) * 1_000_000,) * 2)
        said.append(message)

    import modelmint.training.loop
    import modelmint.training.tasks.text_classification  # noqa: F401  # libraries are no part of what is measured

    try:
        answer = learn(Path(home), Path(base), json.loads(spec), num_rows=int(num_rows), say=say)
    except ModelmintError as error:
        answer = error.to_dict()
    (Path(home) / "answer.json").write_text(json.dumps({**answer, "said": said}))


if __name__ == "__main__":
    main()
