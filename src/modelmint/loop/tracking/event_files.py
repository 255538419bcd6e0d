"""A record as TensorBoard's event files, by tensorboardX: curves as scalars, knobs and figures for its HParams view."""

import re
import shutil
import tempfile
from pathlib import Path

from modelmint.core.errors import InputError
from modelmint.loop.tracking.record import Record

_STRANGE = re.compile(r"[^\w.-]+")
EVENTS = "events.out.tfevents."


def write(record: Record, folder: Path) -> Path:
    """Write ``folder/NAME-RUN``; one that is there from before is replaced, so that nothing stands twice.

    Raises:
        InputError: tensorboardX is not installed, or something else stands there.
    """
    try:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams
    except ImportError as error:
        raise InputError(
            f"tensorboard: tensorboardX must be installed to write event files; {error}",
            parameter="tensorboard",
            remedy='pip install "modelmint[tensorboard]"',
        ) from error
    target = folder / f"{_STRANGE.sub('_', record.name)}-{record.run}"
    if target.exists() and any(not path.name.startswith(EVENTS) for path in target.iterdir()):
        raise InputError(
            f"tensorboard: {target} must hold event files alone, since it is replaced; it holds others",
            parameter="tensorboard",
            remedy="Give another folder.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        with SummaryWriter(str(made)) as writer:
            knobs = {key: value for key, value in record.params.items() if isinstance(value, str | int | float)}
            for part in hparams(knobs, dict(record.figures)):
                writer.file_writer.add_summary(part, walltime=record.started_s)
            for name, value in record.figures.items():
                writer.add_scalar(name, value, 0, walltime=record.ended_s)
            for name, points in record.series.items():
                for point in points:
                    writer.add_scalar(name, point.value, point.step, walltime=point.time_s)
        shutil.rmtree(target, ignore_errors=True)
        made.chmod(0o755)
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target
