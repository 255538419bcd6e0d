"""Checkpoints: a run's whole state as safetensors and JSON, so that it goes on exactly where it was stopped.

A checkpoint has its name only when it is whole, and the digest of each of its files. Imports PyTorch.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import StageError, StorageFullError
from modelmint.core.hashing import file_digest
from modelmint.core.types import JSON
from modelmint.training.methods.tune import load_moving_state, moving_state
from modelmint.training.parting import as_part, whole
from modelmint.training.run import Place, Run
from modelmint.training.space import is_full

FORMAT = 3
EVERY_S = 30.0
MAX_SHARE = 0.05  # of the time may go into checkpoints, at the ends of epochs too
NUM_KEPT = 2  # the newest, and the one before it for a disk that spoils the newest
ASSUMED_BYTES_PER_S = 250e6  # until one was written and timed
DIGESTS = "digests.json"
Tensors = Mapping[str, dict[str, Tensor]]
TENSORS = ("model", "optimizer", "best", "average", "method", "random")


class Saver:
    """Writes a run's checkpoints when they are due."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder, self._identity = run, folder, run.job.identity()
        self._started_s = self._last_s = monotonic_s()
        self._cost_s = _num_bytes(run) / ASSUMED_BYTES_PER_S

    def resume(self, say: Callable[[int, int, str], None]) -> bool:
        """Go on from the newest checkpoint that is whole. False where there is none of this very run; others are removed."""
        ranks = self._run.ranks
        name = _read(self._run, self._folder, self._identity, say) if ranks.is_first else None
        told = ranks.told({"checkpoint": name})["checkpoint"]
        if told is not None and not ranks.is_first:
            _read_as(self._run, self._folder / told)
        self._started_s = monotonic_s() - self._run.place.seconds
        return told is not None

    def save_if_due(self, *, at_end_of_epoch: bool = False) -> None:
        """Write one if its cost is at most `MAX_SHARE` of the time since the last, and `EVERY_S` or an epoch went by."""
        due_s = max(0.0 if at_end_of_epoch else EVERY_S, self._cost_s / MAX_SHARE)
        if self._run.ranks.agreed(monotonic_s() - self._last_s >= due_s):
            self.save()

    def save(self) -> None:
        """Write one now: the first rank does, of what all have.

        Raises:
            StorageFullError: the disk does not hold it; the one before it is kept.
        """
        began_s = monotonic_s()
        self.count_time()
        tensors = _tensors(self._run)
        if self._run.ranks.is_first:
            _write_or_make_room(self._run, tensors, self._folder, self._identity)
        self._last_s = monotonic_s()
        self._cost_s = self._last_s - began_s
        self._run.place.saving_seconds += self._cost_s

    def count_time(self) -> None:
        """Bring `place.seconds` up to date."""
        self._run.place.seconds = monotonic_s() - self._started_s


def copy_into(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights in place: an optimizer that holds the parameters stays right."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(as_part(weights[name], tensor))


def _write_or_make_room(run: Run, tensors: Tensors, folder: Path, identity: str) -> None:
    """Where the disk is full, the last checkpoint but one makes room."""
    try:
        return _write(run, tensors, folder, identity)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(folder / "partial", ignore_errors=True)
        if not is_full(error):
            raise
        older, full = _listed(folder)[:-1], error
    if older:
        for old in older:
            _remove(old)
        return _write_or_make_room(run, tensors, folder, identity)
    raise StorageFullError(
        f"MODELMINT_HOME: its disk must hold a checkpoint of about {_num_bytes(run) / 1e6:,.1f} MB; "
        f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB are free in {folder}",
        parameter="MODELMINT_HOME",
        remedy="Free some space there, then run the same again: it goes on from the last checkpoint. `method: lora`, "
        "`ema: 0` and `optimizer: sgd` make checkpoints smaller.",
    ) from full


def _write(run: Run, tensors: Tensors, folder: Path, identity: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{run.place.step:09d}-{run.place.epoch:05d}"
    partial = folder / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name in TENSORS:
        _write_tensors(partial / f"{name}.safetensors", tensors[name])
    _write_json(partial / "state.json", {"format": FORMAT, "identity": identity, "place": run.place.to_json()})
    _write_json(partial / DIGESTS, {path.name: file_digest(path) for path in sorted(partial.iterdir())})
    _remove(final)
    partial.rename(final)
    _sync(folder)
    for old in _listed(folder)[:-NUM_KEPT]:
        _remove(old)


def _read(run: Run, folder: Path, identity: str, say: Callable[[int, int, str], None]) -> str | None:
    """The name of the checkpoint that was read."""
    for checkpoint in reversed(_listed(folder)):
        why = "it is damaged"
        if (found := _whole(checkpoint)) is not None:
            state, tensors = found
            if (state["format"], state["identity"]) == (FORMAT, identity):
                _put_back(run, state, tensors)
                return checkpoint.name
            why = "it is of another training, or of other threads, hardware or library versions"
        say(0, run.total_steps, f"not going on from the checkpoint {checkpoint.name}: {why}")
        _remove(checkpoint)
    return None


def _read_as(run: Run, checkpoint: Path) -> None:
    """Read what the first rank has read."""
    found = _whole(checkpoint)
    if found is None:
        raise StageError(
            f"MODELMINT_HOME: must be one folder to all workers; {checkpoint}, which the first reads, is not whole here",
            parameter="MODELMINT_HOME",
            remedy="Put it on storage that every machine of the cluster reads and writes, at the same path.",
        )
    _put_back(run, *found)


def _whole(checkpoint: Path) -> tuple[JSON, dict[str, dict[str, Tensor]]] | None:
    """Its state and tensors, or None where a file is not what was written: a disk lost its last writes, or bits of them."""
    try:
        digests: JSON = json.loads((checkpoint / DIGESTS).read_text(encoding="utf-8"))
        wanted = {"state.json", *(f"{name}.safetensors" for name in TENSORS)}
        if set(digests) != wanted or any(file_digest(checkpoint / name) != digests[name] for name in wanted):
            return None
        state: JSON = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
        return state, {name: _owned(load_file(checkpoint / f"{name}.safetensors")) for name in TENSORS}
    except (OSError, ValueError, TypeError, SafetensorError):
        return None


def _put_back(run: Run, state: JSON, tensors: Mapping[str, dict[str, Tensor]]) -> None:
    copy_into(run.model, tensors["model"])
    _load_moments(run, tensors["optimizer"])
    load_moving_state(run.model, tensors["method"])
    run.best_weights, run.place = tensors["best"], Place.from_json(state["place"])
    like = run.model.state_dict()
    run.average = {name: as_part(tensor, like[name]) for name, tensor in tensors["average"].items()}
    _load_random_state(run, tensors["random"])


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _remove(checkpoint: Path) -> None:
    if checkpoint.is_dir():
        shutil.rmtree(checkpoint)
    else:
        checkpoint.unlink(missing_ok=True)


def _num_bytes(run: Run) -> int:
    """About: the weights, the best of them, and two moments of those that are trained."""
    sizes = [(weight.numel() * weight.element_size(), weight.requires_grad) for weight in run.model.parameters()]
    return sum(size * (4 if is_trained else 2) for size, is_trained in sizes)


def _tensors(run: Run) -> Tensors:
    """All that a checkpoint holds; called by every rank, since some of it is spread over them."""
    found = {
        "model": run.model.state_dict(),
        "optimizer": _moments(run),
        "best": run.best_weights,
        "average": run.average,
        "method": moving_state(run.model),
        "random": _random_state(run),
    }
    if not run.is_parted:
        return found
    gathered: dict[str, dict[str, Tensor]] = {}
    for group, tensors in found.items():
        gathered[group] = {}
        for name, tensor in tensors.items():
            one = whole(tensor.detach())
            if run.ranks.is_first:
                gathered[group][name] = one.cpu()
    return gathered


def _moments(run: Run) -> dict[str, Tensor]:
    return {
        f"{name}|{key}": value
        for name, parameter in run.model.named_parameters()
        for key, value in run.optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _load_moments(run: Run, tensors: Mapping[str, Tensor]) -> None:
    parameters = dict(run.model.named_parameters())
    for joined, tensor in tensors.items():
        name, _, key = joined.rpartition("|")
        run.optimizer.state[parameters[name]][key] = as_part(tensor, parameters[name])


def _random_state(run: Run) -> dict[str, Tensor]:
    """Of every rank; called by all."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return {
        f"{device}.{rank}": tensor
        for device, mine in state.items()
        for rank, tensor in enumerate(run.ranks.gathered(mine))
    }


def _load_random_state(run: Run, state: Mapping[str, Tensor]) -> None:
    rank = run.ranks.rank
    torch.set_rng_state(state[f"cpu.{rank}"])
    if f"cuda.{rank}" in state:
        torch.cuda.set_rng_state(state[f"cuda.{rank}"])


def _owned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # A loaded tensor may lie unaligned in a mapped file, and kernels may then round differently.
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _write_json(path: Path, value: JSON) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
    _sync(path)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous()
        apart[name] = flat.clone() if flat.data_ptr() in seen else flat  # tied weights have two names
        seen.add(flat.data_ptr())
    save_file(apart, path)
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
