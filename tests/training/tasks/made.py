"""Training on rows of any form, and what a trained folder holds."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train

Rows = list[dict[str, Any]]


def rows_of(desk: StagingDesk, name: str, form: str, rows: Rows) -> Dataset:
    """A dataset of that form."""
    schema = pa.schema([("_row", pa.string()), *FORMS[form].columns])
    numbered = [{"_row": f"r{at}", **row} for at, row in enumerate(rows)]
    if form.startswith("tabular"):  # its other columns are its own
        return desk.dataset(name, pa.Table.from_pylist(numbered), facts={"task": form})
    return desk.dataset(name, pa.Table.from_pylist(numbered, schema=schema), facts={"task": form})


def fit(
    context: StageContext,
    desk: StagingDesk,
    form: str,
    rows: Rows,
    validation: Rows,
    *,
    go_on: bool = False,
    **spec: Any,
) -> TrainOutputs:
    """Train in fp32; from the start, unless it goes on where a run before it was stopped."""
    for folder in [context.scratch] if go_on else [context.scratch, context.checkpoints]:
        shutil.rmtree(folder)
        folder.mkdir()
    inputs = TrainInputs(
        train=rows_of(desk, "train", form, rows), validation=rows_of(desk, "validation", form, validation)
    )
    return train(TrainSpec(**{"min_steps": 0, "precision": "fp32", **spec}), inputs, context)


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder, by its content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
