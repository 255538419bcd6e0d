"""The training loop: steps, epochs, validation. It knows no task: what is learned is the learner's. Imports PyTorch.

Equal jobs give equal bits on one machine, however often they were interrupted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import StageError
from modelmint.training.checkpoints import Saver, copy_into
from modelmint.training.learner import Score
from modelmint.training.methods.tune import after_step, extra_loss
from modelmint.training.optimization import learning_rate_factor
from modelmint.training.run import Job, Place, Run

MAX_POINTS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """The trained model, on the CPU, and where its run ended."""

    model: nn.Module
    place: Place
    num_parameters: int
    num_trained: int
    """Parameters that moved; counted before a method is merged into the base."""


def fit(job: Job, *, checkpoints: Path, say: Callable[[int, int, str], None], check: Callable[[], None]) -> Fitted:
    """Train, going on from a checkpoint where there is one. The best epoch's weights are kept where one can be told.

    Args:
        check: called at every step; what it raises ends the run, after a checkpoint.

    Raises:
        StageError: the loss is no finite number; a checkpoint from before that step is kept.
    """
    with _deterministic():
        run = Run.begin(job)
        saver = Saver(run, checkpoints)
        if saver.resume():
            say(run.place.step, run.total_steps, "going on from a checkpoint")
        while not run.is_over:
            for rows in _rest_of_epoch(run):
                _step_or_smaller(run, rows, say)
                say(run.place.step, run.total_steps, _message(run))
                _check(check, saver)
                saver.save_if_due()
            _end_epoch(run)
            saver.save()
        saver.count_time()
        return _fitted(run)


def step(run: Run, rows: Sequence[int]) -> None:
    """One step of the optimizer over training examples, computed in micro-batches that give the same sum."""
    started_s = monotonic_s()
    place, learner, knobs = run.place, run.job.learner, run.job.knobs
    factor = learning_rate_factor(place.step, run.total_steps, knobs)
    for group in run.optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    run.model.train()
    size = place.micro_batch_size or len(rows)
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    batches = [
        learner.batch(learner.train, part, run.accelerator.device)
        for part in ([rows] if learner.whole_batches else parts)
    ]
    if learner.whole_batches:
        batches[0]["rows_at_once"] = size
    total = sum(learner.weight(batch) for batch in batches)
    loss_value = 0.0
    for batch in batches:
        loss = learner.loss(run.model, batch) / total
        loss_value += loss.item()
        run.accelerator.backward(loss)
    _finite("loss", loss_value, place.step)
    if (penalty := extra_loss(run.model, learner.setting.spec.method)) is not None:
        run.accelerator.backward(penalty)
    norm = _finite(
        "gradient", float(run.accelerator.clip_grad_norm_(run.model.parameters(), knobs.max_grad_norm)), place.step
    )
    run.optimizer.step()
    after_step(run.model, place.step)
    run.optimizer.zero_grad()
    _follow_average(run)
    _note(run, loss_value, norm, knobs.learning_rate * factor)
    place.batch += 1
    place.num_seen += len(rows)
    place.train_seconds += monotonic_s() - started_s


def _step_or_smaller(run: Run, rows: Sequence[int], say: Callable[[int, int, str], None]) -> None:
    """A step; where memory does not hold it, the same step in micro-batches of half the size, and so on."""
    while True:
        random = torch.get_rng_state()
        try:
            return step(run, rows)
        except (MemoryError, RuntimeError) as error:
            size = run.place.micro_batch_size or len(rows)
            if not is_out_of_memory(error) or size == 1:
                raise
        run.optimizer.zero_grad()
        torch.set_rng_state(random)
        run.place.micro_batch_size = max(1, size // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        say(run.place.step, run.total_steps, f"memory did not hold {size} rows at once: going on with {size // 2}")


def is_out_of_memory(error: Exception) -> bool:
    """Whether PyTorch or Python says so."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def _rest_of_epoch(run: Run) -> Iterator[list[int]]:
    for rows in run.job.learner.batches(run.place.epoch)[run.place.batch :]:
        if run.is_out_of_steps:
            return
        yield rows


def _end_epoch(run: Run) -> None:
    place = run.place
    place.epoch += 1
    place.batch = 0
    score = _validate(run) if run.job.learner.num_rows()[1] else None
    row = {
        "epoch": place.epoch,
        "train_loss": round(place.loss_sum / max(place.loss_steps, 1), 6),
        "validation_loss": round(score.loss, 6) if score and score.loss is not None else None,
    }
    if score is not None:
        row[f"validation_{score.metric}"] = round(score.value, 6)
        row |= {f"validation_{name}": round(value, 6) for name, value in score.also.items()}
    place.history.append(row)
    place.loss_sum, place.loss_steps = 0.0, 0
    if score is None or not run.can_choose:
        place.best, place.best_epoch = score, place.epoch
        if run.average:
            run.best_weights = _kept(run.average)
    elif score.is_as_good_as(place.best):
        if place.best is None or score.is_better_than(place.best):
            place.best = score
        place.best_epoch = place.epoch
        run.best_weights = _kept(run.average or run.model.state_dict())


def _validate(run: Run) -> Score:
    if not run.average:
        return run.job.learner.score(run.model)
    moving = _kept(run.model.state_dict())
    copy_into(run.model, run.average)
    try:
        return run.job.learner.score(run.model)
    finally:
        copy_into(run.model, moving)


def _kept(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def _fitted(run: Run) -> Fitted:
    if run.best_weights:
        copy_into(run.model, run.best_weights)
    model = run.accelerator.unwrap_model(run.model, keep_fp32_wrapper=False).cpu()
    model.train(False)
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return Fitted(
        model=model,
        place=run.place,
        num_parameters=sum(size for size, _ in sizes),
        num_trained=sum(size for size, is_trained in sizes if is_trained),
    )


def _follow_average(run: Run) -> None:
    decay = run.job.knobs.ema
    if not decay:
        return
    decay = min(decay, (1 + run.place.step) / (10 + run.place.step))  # the first steps are far from where it ends
    with torch.no_grad():
        for name, tensor in run.model.state_dict().items():
            if tensor.is_floating_point():
                run.average[name].lerp_(tensor, 1 - decay)
            else:
                run.average[name].copy_(tensor)


def _note(run: Run, loss: float, norm: float, rate: float) -> None:
    """Add the step to the curve: the means of as many steps as keep it to `MAX_POINTS`."""
    place, every = run.place, max(1, math.ceil(run.total_steps / MAX_POINTS))
    place.loss_sum += loss
    place.loss_steps += 1
    place.step += 1
    if (place.step - 1) % every == 0:
        place.curve.append({"step": place.step, "loss": 0.0, "gradient_norm": 0.0, "learning_rate": rate})
    point, num = place.curve[-1], (place.step - 1) % every + 1
    point["step"] = place.step
    point["loss"] += (loss - point["loss"]) / num
    point["gradient_norm"] += (norm - point["gradient_norm"]) / num


def _finite(what: str, value: float, step_number: int) -> float:
    if not math.isfinite(value):
        raise StageError(
            f"learning_rate: the {what} must stay a finite number; at step {step_number + 1} it is {value}",
            parameter="learning_rate",
            remedy="Lower train.learning_rate, for example to a third, or set train.precision to fp32. What was learned "
            "before this step is kept, and the same run goes on from it.",
        )
    return value


def _message(run: Run) -> str:
    place = run.place
    rows_per_s = place.num_seen / max(place.train_seconds, 1e-9)
    loss = place.loss_sum / place.loss_steps
    return f"epoch {place.epoch + 1} of {run.job.epochs}, loss {loss:.3f}, {rows_per_s:.0f} rows/s"


def _check(check: Callable[[], None], saver: Saver) -> None:
    try:
        check()
    except StageError:
        saver.save()
        raise


@contextmanager
def _deterministic() -> Iterator[None]:
    """Kernels that give the same bits every time, where torch has them."""
    before, fill = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fill
