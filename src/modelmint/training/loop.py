"""The training loop: steps, epochs, validation. It knows no task: what is learned is the learner's. Imports PyTorch.

Equal jobs give equal bits on one machine, however often they were interrupted.
"""

import ctypes
import gc
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import StageError
from modelmint.training import pace, parting
from modelmint.training.checkpoints import Saver, copy_into
from modelmint.training.epochs import end_epoch, follow_average
from modelmint.training.learner import Batch
from modelmint.training.methods.four_bits import num_weights
from modelmint.training.methods.tune import after_step, extra_loss
from modelmint.training.optimization import learning_rate_factor
from modelmint.training.ranks import ALONE, Ranks
from modelmint.training.run import Job, Place, Run

MAX_POINTS = 400
MMAP_THRESHOLD, LARGE_BYTES = -3, 1 << 20
"""glibc's number of the size from which a block is mapped alone, so that it goes back whole; else that size grows."""
OUT_OF_MEMORY = (
    "out of memory",
    "allocate memory",
    "bad_alloc",
    "bad allocation",
    "could not create a primitive",
    "could not create a memory",
    "can't start new thread",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """The trained model, on the CPU, and where its run ended."""

    model: nn.Module
    place: Place
    num_parameters: int
    num_trained: int
    """Parameters that moved; counted before a method is merged into the base."""


def fit(
    job: Job,
    *,
    checkpoints: Path,
    say: Callable[[int, int, str], None],
    check: Callable[[], None],
    after_epoch: Callable[[Run], None] | None = None,
    ranks: Ranks = ALONE,
) -> Fitted:
    """Train, going on from a checkpoint where there is one. The best epoch's weights are kept where one can be told.

    Args:
        check: called at every step; what it raises ends the run, after a checkpoint.
        after_epoch: called when an epoch is scored, before it is in a checkpoint: a run that is killed there calls it
            again. What it raises ends the run.
        ranks: the processes that train together; each calls this with an equal job, and gets the same.

    Raises:
        StageError: the loss is no finite number; a checkpoint from before that step is kept.
    """
    with _deterministic():
        run = Run.begin(job, ranks)
        saver = Saver(run, checkpoints)
        if saver.resume(say):
            say(run.place.step, run.total_steps, "going on from a checkpoint")
        while not run.is_over:
            for rows in _rest_of_epoch(run):
                _step_or_smaller(run, rows, say)
                say(run.place.step, run.total_steps, _message(run))
                _check(check, saver, ranks)
                saver.save_if_due()
            end_epoch(run)
            if after_epoch is not None:
                after_epoch(run)
            saver.save_if_due(at_end_of_epoch=True)
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
    here = run.ranks.part(rows)
    size = place.micro_batch_size or len(rows)
    parts = [here[at : at + size] for at in range(0, len(here), size)]
    batches = [
        learner.batch(learner.train, part, run.accelerator.device)
        for part in ([rows] if learner.whole_batches else parts)
    ]
    if learner.whole_batches:
        batches[0]["rows_at_once"] = size
    idle = batches[:1] or [learner.batch(learner.train, rows[:1], run.accelerator.device)] if run.is_parted else []
    total, *tokens = run.ranks.sums(
        sum(learner.weight(batch) for batch in batches), *(pace.tokens_of(learner, batches) or (0, 0))
    )
    loss_value = _gradients(run, batches, total, idle * (run.ranks.most(len(batches)) - len(batches)) if idle else [])
    norm = _finite("gradient", float(run.accelerator.clip_grad_norm_(run.model.parameters(), knobs.max_grad_norm)), run)
    _move_weights(run)
    after_step(run.model, place.step)
    run.optimizer.zero_grad()
    follow_average(run)
    _note(run, loss_value, norm, knobs.learning_rate * factor)
    place.batch += 1
    place.num_seen += len(rows)
    took_s = monotonic_s() - started_s
    place.train_seconds += took_s
    pace.note(place, seconds=took_s, num_rows=len(rows), tokens=(int(tokens[0]), int(tokens[1])))


def _gradients(run: Run, batches: Sequence[Batch], total: float, idle: Sequence[Batch]) -> float:
    """Fill in the gradients of a whole batch, of which `batches` are this rank's part, and give its loss.

    Args:
        idle: are computed and count for nothing: the parts of a model meet in every batch of every rank.
    """
    loss_value, short = 0.0, None
    try:
        for batch in batches:
            loss = run.job.learner.loss(run.model, batch) / total
            loss_value += loss.item()
            run.accelerator.backward(loss)
        for batch in idle:
            run.accelerator.backward(0.0 * run.job.learner.loss(run.model, batch))
    except (MemoryError, RuntimeError) as error:
        if run.ranks.size == 1 or run.is_parted or not is_out_of_memory(error):
            raise
        short = error  # the others wait for this rank's sums, and must learn of it there
    loss_value, num_short = run.ranks.sums(loss_value, float(short is not None))
    if num_short:
        raise MemoryError("out of memory, on one of the workers") from short
    _finite("loss", loss_value, run)
    method = run.job.learner.setting.spec.method
    if run.ranks.is_first and (penalty := extra_loss(run.model, method)) is not None:
        run.accelerator.backward(penalty)
    if not run.is_parted:  # there the sums are of its own making
        run.ranks.sum_gradients(run.model)
    return loss_value


def _step_or_smaller(run: Run, rows: Sequence[int], say: Callable[[int, int, str], None]) -> None:
    """A step; where memory does not hold it, the same step in micro-batches of half the size, and so on."""
    while True:
        random = torch.get_rng_state()
        try:
            return step(run, rows)
        except (MemoryError, RuntimeError) as error:
            size = run.place.micro_batch_size or len(rows)
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise StageError(
                    "micro_batch_size: this machine's memory must hold a step; it does not even for one row of "
                    f"max_tokens {run.job.knobs.max_tokens}",
                    parameter="micro_batch_size",
                    remedy="Lower train.max_tokens, set train.gradient_checkpointing, or take a smaller base.",
                ) from error
        run.optimizer.zero_grad()
        torch.set_rng_state(random)
        run.place.micro_batch_size = max(1, size // 2)
        _give_memory_back()
        say(run.place.step, run.total_steps, f"memory did not hold {size} rows at once: going on with {size // 2}")


def _give_memory_back() -> None:
    """What the failed step held: the C library keeps it in pieces else, of which none is large enough."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # another C library than glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        libc.malloc_trim(0)


def _move_weights(run: Run) -> None:
    """The optimizer's step; where memory ends in it some weights have moved, so that it cannot be made again."""
    try:
        run.optimizer.step()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise StageError(
            f"optimizer: this machine's memory must hold what {run.job.knobs.optimizer} keeps beside the weights; it "
            "does not",
            parameter="optimizer",
            remedy="Set train.optimizer to sgd or adafactor, or train.method to lora, which trains few weights.",
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether PyTorch, oneDNN or Python says so; oneDNN says no more than that it could not create something."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in OUT_OF_MEMORY)


def _rest_of_epoch(run: Run) -> Iterator[list[int]]:
    for rows in run.job.learner.batches(run.place.epoch)[run.place.batch :]:
        if run.is_out_of_steps:
            return
        yield rows


def _fitted(run: Run) -> Fitted:
    if run.best_weights:
        copy_into(run.model, run.best_weights)
    if run.is_parted:
        parting.gather_into(run.whole, run.model.state_dict())
    model = run.whole if run.whole is not None else run.accelerator.unwrap_model(run.model, keep_fp32_wrapper=False)
    model.cpu().train(False)
    num_parameters, num_trained = num_weights(model)
    return Fitted(
        model=model,
        place=run.place,
        num_parameters=num_parameters,
        num_trained=num_trained,
    )


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


def _finite(what: str, value: float, run: Run) -> float:
    if math.isfinite(value):
        return value
    number, knobs = run.place.step + 1, run.job.knobs
    spoilt = next((name for name, weight in run.model.named_parameters() if not weight.isfinite().all()), None)
    if spoilt is not None and number == 1:
        raise StageError(
            f"base: its weights must be finite numbers; those of {spoilt} are not, so that the {what} at step 1 is {value}",
            parameter="base",
            remedy="Take another base, or download this one again.",
        )
    cause = "16-bit arithmetic" if run.job.precision == "fp16" else "a learning rate that is too high"
    raise StageError(
        f"learning_rate: the {what} must stay a finite number; at step {number} it is {value}, most likely by {cause}",
        parameter="learning_rate",
        remedy=f"Lower train.learning_rate ({knobs.learning_rate:g}), for example to a third, lower train.max_grad_norm, or "
        "set train.precision to fp32. The last checkpoint, from before that step, is kept.",
    )


def _message(run: Run) -> str:
    place = run.place
    rows_per_s = place.num_seen / max(place.train_seconds, 1e-9)
    loss = place.loss_sum / place.loss_steps
    return f"epoch {place.epoch + 1} of {run.job.epochs}, loss {loss:.3f}, {rows_per_s:.0f} rows/s"


def _check(check: Callable[[], None], saver: Saver, ranks: Ranks) -> None:
    ended = None
    try:
        check()
    except StageError as error:
        ended = error
    if ranks.agreed(ended is not None):
        saver.save()
        raise ended or StageError("timeout_s: the first worker ended the training", parameter="timeout_s")


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
