"""The end of an epoch: validation, and the weights that are kept, as they are or averaged. Imports PyTorch."""

from dataclasses import asdict

import torch
from torch import Tensor

from modelmint.training import parting
from modelmint.training.checkpoints import copy_into
from modelmint.training.learner import Score
from modelmint.training.run import Run


def end_epoch(run: Run) -> None:
    """Score the epoch that was trained, and keep its weights where they are the best so far."""
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


def follow_average(run: Run) -> None:
    """Bring the moving average of the weights up to a step that was just taken."""
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


def _validate(run: Run) -> Score:
    """By the first rank alone, which tells the others."""
    if run.is_parted:
        parting.gather_into(run.whole, run.average or run.model.state_dict())
    return Score(**run.ranks.told(asdict(_scored(run)) if run.ranks.is_first else {}))


def _scored(run: Run) -> Score:
    if run.whole is not None:
        score = run.job.learner.score(run.whole.to(run.accelerator.device))
        run.whole.cpu()
        return score
    if not run.average:
        return run.job.learner.score(run.model)
    moving = _kept(run.model.state_dict())
    copy_into(run.model, run.average)
    try:
        return run.job.learner.score(run.model)
    finally:
        copy_into(run.model, moving)


def _kept(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: parting.whole(tensor.detach()).cpu().clone() for name, tensor in weights.items()}
