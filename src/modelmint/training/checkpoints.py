"""Checkpoints: a run's whole state as safetensors and JSON, so that it goes on exactly where it was stopped.

A checkpoint has its name only when it is whole. Imports PyTorch.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core.clock import monotonic_s
from modelmint.core.types import JSON
from modelmint.training.methods.tune import load_moving_state, moving_state
from modelmint.training.run import Place, Run

FORMAT = 2
EVERY_S = 30.0
MAX_SHARE = 0.05  # of the time may go into checkpoints between epochs


class Saver:
    """Writes a run's checkpoints when they are due."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder, self._identity = run, folder, run.job.identity()
        self._started_s = self._last_s = monotonic_s()
        self._every_s = EVERY_S

    def resume(self) -> bool:
        """Go on from the newest checkpoint. False where there is none of this very run; others are removed."""
        carried = _read(self._run, self._folder, self._identity)
        self._started_s = monotonic_s() - self._run.place.seconds
        return carried

    def save_if_due(self) -> None:
        if monotonic_s() - self._last_s >= self._every_s:
            self.save()

    def save(self) -> None:
        """Write one now."""
        began_s = monotonic_s()
        self.count_time()
        _write(self._run, self._folder, self._identity)
        self._last_s = monotonic_s()
        self._every_s = max(EVERY_S, (self._last_s - began_s) / MAX_SHARE)

    def count_time(self) -> None:
        """Bring `place.seconds` up to date."""
        self._run.place.seconds = monotonic_s() - self._started_s


def copy_into(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights in place: an optimizer that holds the parameters stays right."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(weights[name])


def _write(run: Run, folder: Path, identity: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{run.place.step:09d}-{run.place.epoch:05d}"
    partial = folder / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    _write_tensors(partial / "model.safetensors", run.model.state_dict())
    _write_tensors(partial / "optimizer.safetensors", _moments(run))
    _write_tensors(partial / "best.safetensors", run.best_weights)
    _write_tensors(partial / "average.safetensors", run.average)
    _write_tensors(partial / "method.safetensors", moving_state(run.model))
    _write_tensors(partial / "random.safetensors", _random_state())
    state = {"format": FORMAT, "identity": identity, "place": run.place.to_json()}
    (partial / "state.json").write_text(json.dumps(state), encoding="utf-8")
    _sync(partial / "state.json")
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _sync(folder)
    for old in _listed(folder)[:-1]:
        shutil.rmtree(old)


def _read(run: Run, folder: Path, identity: str) -> bool:
    for checkpoint in reversed(_listed(folder)):
        try:
            state: JSON = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
            tensors = {
                name: _owned(load_file(checkpoint / f"{name}.safetensors"))
                for name in ("model", "optimizer", "best", "average", "method", "random")
            }
        except (OSError, ValueError, SafetensorError):  # a disk that lost its last writes
            state, tensors = {}, {}
        if (state.get("format"), state.get("identity")) == (FORMAT, identity):
            copy_into(run.model, tensors["model"])
            _load_moments(run, tensors["optimizer"])
            load_moving_state(run.model, tensors["method"])
            run.best_weights, run.place = tensors["best"], Place.from_json(state["place"])
            run.average = {name: tensor.to(run.accelerator.device) for name, tensor in tensors["average"].items()}
            _load_random_state(tensors["random"])
            return True
        shutil.rmtree(checkpoint)  # of other threads, hardware or library versions: its numbers would not be this run's
    return False


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


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
        run.optimizer.state[parameters[name]][key] = tensor.to(parameters[name].device)


def _random_state() -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else state


def _load_random_state(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])


def _owned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # A loaded tensor may lie unaligned in a mapped file, and kernels may then round differently.
    return {name: tensor.clone() for name, tensor in tensors.items()}


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
