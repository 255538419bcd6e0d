"""The training loop: steps, epochs, validation. Imports PyTorch.

Equal jobs give equal bits on one machine, however often they were interrupted.

Shapes: b rows of a batch, l labels.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import StageError
from modelmint.training.batches import bucketed_batches, pad_batch
from modelmint.training.checkpoints import Saver
from modelmint.training.classifier import MeanPoolClassifier, copy_into, logits_of
from modelmint.training.optimization import learning_rate_factor
from modelmint.training.run import Job, Place, Run, Score

BUCKET_BATCHES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """The trained model, on the CPU, with all rows of its vocabulary, and where its run ended."""

    model: MeanPoolClassifier
    place: Place


def fit(job: Job, *, checkpoints: Path, say: Callable[[int, int, str], None], check: Callable[[], None]) -> Fitted:
    """Train, going on from a checkpoint where there is one. The best epoch's weights are kept where one can be told.

    Args:
        check: called at every step; what it raises ends the run, after a checkpoint.

    Raises:
        StageError: the loss is no finite number.
    """
    with _deterministic():
        run = Run.begin(job)
        saver = Saver(run, checkpoints)
        if saver.resume():
            say(run.place.step, job.total_steps, "going on from a checkpoint")
        while not run.is_over:
            for rows in _rest_of_epoch(run):
                step(run, rows)
                say(run.place.step, job.total_steps, _message(run))
                _check(check, saver)
                saver.save_if_due()
            _end_epoch(run)
            saver.save()
        saver.count_time()
        return _fitted(run)


def step(run: Run, rows: list[int]) -> None:
    """One step of the optimizer over rows of the training set."""
    started_s = monotonic_s()
    place, device = run.place, run.accelerator.device
    factor = learning_rate_factor(place.step, run.job.total_steps, run.job.spec.warmup)
    for group in run.optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    run.model.train()
    logits_bl = run.model(**pad_batch([run.train_ids[row] for row in rows], run.vocabulary.pad_id, device))
    label_ids_b = torch.tensor([run.job.train.label_ids[row] for row in rows], device=device)
    loss = _loss(run, logits_bl.float(), label_ids_b, rows)
    run.accelerator.backward(loss)
    run.accelerator.clip_grad_norm_(run.model.parameters(), run.job.spec.max_grad_norm)
    run.optimizer.step()
    run.optimizer.zero_grad()
    place.loss_sum += _finite(loss, place.step)
    place.loss_steps += 1
    place.step += 1
    place.batch += 1
    place.num_seen += len(rows)
    place.train_seconds += monotonic_s() - started_s


def _loss(run: Run, logits_bl: Tensor, label_ids_b: Tensor, rows: list[int]) -> Tensor:
    """Cross entropy, its mean weighted by the rows' weights where they have some, and by those of their labels."""
    smoothing, weights = run.job.spec.label_smoothing, run.job.train.weights
    if weights is None:
        return functional.cross_entropy(logits_bl, label_ids_b, weight=run.loss_weights, label_smoothing=smoothing)
    weight_b = torch.tensor([weights[row] for row in rows], dtype=logits_bl.dtype, device=logits_bl.device)
    loss_b = functional.cross_entropy(
        logits_bl, label_ids_b, weight=run.loss_weights, label_smoothing=smoothing, reduction="none"
    )
    of_label_b = 1.0 if run.loss_weights is None else run.loss_weights[label_ids_b]
    return (weight_b * loss_b).sum() / (weight_b * of_label_b).sum()


def _rest_of_epoch(run: Run) -> Iterator[list[int]]:
    lengths = [len(row) for row in run.train_ids]
    batches = bucketed_batches(lengths, run.job.spec.batch_size, BUCKET_BATCHES, run.job.seed, run.place.epoch)
    yield from batches[run.place.batch :]


def _end_epoch(run: Run) -> None:
    place = run.place
    place.epoch += 1
    place.batch = 0
    score = _validate(run) if run.validation_ids else None
    place.history.append(
        {
            "epoch": place.epoch,
            "train_loss": round(place.loss_sum / place.loss_steps, 6),
            "validation_loss": round(score.loss, 6) if score else None,
            "validation_accuracy": round(score.accuracy, 6) if score else None,
        }
    )
    place.loss_sum, place.loss_steps = 0.0, 0
    if score is None or not run.can_choose:
        place.best, place.best_epoch = score, place.epoch
    elif score.is_as_good_as(place.best, len(run.validation_ids)):
        if place.best is None or score.accuracy > place.best.accuracy:
            place.best = score
        place.best_epoch = place.epoch
        run.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in run.model.state_dict().items()}


def _validate(run: Run) -> Score:
    logits_bl = logits_of(run.model, run.validation_ids, run.vocabulary.pad_id)
    label_ids_b = torch.tensor(run.job.validation.label_ids)
    return Score(
        accuracy=(logits_bl.argmax(dim=1) == label_ids_b).double().mean().item(),
        loss=functional.cross_entropy(logits_bl, label_ids_b).item(),
    )


def _fitted(run: Run) -> Fitted:
    if run.best_weights:
        copy_into(run.model, run.best_weights)
    model = run.accelerator.unwrap_model(run.model, keep_fp32_wrapper=False).cpu()
    run.vocabulary.widen(model.encoder)
    model.train(False)
    return Fitted(model=model, place=run.place)


def _finite(loss: Tensor, step_number: int) -> float:
    value: float = loss.item()
    if not math.isfinite(value):
        raise StageError(
            f"learning_rate: the loss must stay a finite number; at step {step_number + 1} it is {value}",
            parameter="learning_rate",
            remedy="Lower train.learning_rate, for example to a third, or set train.precision to fp32.",
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
