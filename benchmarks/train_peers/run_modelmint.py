"""Fine-tune by Modelmint's own loop: run_modelmint.py FOLDER BASE EPOCHS. The steps are the loop's, the looks between them ours."""

import csv
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from stage_context import stage_context  # noqa: E402
from watched import Clock  # noqa: E402

from modelmint.core.types import Dataset  # noqa: E402
from modelmint.training.beginnings import Beginning  # noqa: E402
from modelmint.training.spec import TrainSpec  # noqa: E402
from modelmint.training.tasks import task_of  # noqa: E402
from modelmint.training.train import TrainInputs, new_job  # noqa: E402


def main() -> None:
    folder, base, epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    import torch

    from modelmint.training import loop
    from modelmint.training.run import Run

    torch.set_num_threads(2)
    inputs = TrainInputs(train=dataset(folder / "train.csv"), validation=dataset(folder / "test.csv"))
    print("begin", flush=True)
    begun_s = time.perf_counter()
    spec = TrainSpec(base=base, epochs=epochs, min_steps=0)
    task = task_of(spec, inputs.train)
    job = new_job(task, spec, inputs, Beginning.of(spec, None), seed=7)
    run = Run.begin(job)
    learner: Any = job.learner
    clock = Clock(
        lambda: learner.logits(run.model, learner.validation).argmax(dim=1).tolist(),
        learner.validation.targets,
        begun_s,
    )
    for epoch in range(epochs):
        for rows in learner.batches(epoch):
            loop.step(run, rows)
            clock.step(len(rows))
    print(clock.told(), flush=True)


def dataset(path: Path) -> Dataset:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = pa.table(
        {
            "_row": [f"{path.stem}-{at}" for at in range(len(rows))],
            **{name: [row[name] for row in rows] for name in ("text", "label")},
        }
    )
    context = stage_context(Path(mkdtemp(dir=path.parent)) / "stage", seed=7, num_threads=2)
    return context.desk.dataset(
        path.stem, table.to_batches(), schema=table.schema, facts={"task": "text-classification"}
    )


if __name__ == "__main__":
    main()
