"""What preference tuning minimises: DPO, KTO and ORPO over pairs of answers. Imports PyTorch.

Shapes: b pairs. Each function gives (b,) losses, and (b,) rewards of the chosen and of the rejected answer, which carry
no gradient.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """(b,) log-probabilities of answers, summed over their tokens: of the model, or of the reference."""

    chosen_b: Tensor
    rejected_b: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """(b,) of pairs: what is minimised, and the rewards of both answers, whose difference should grow."""

    loss_b: Tensor
    chosen_reward_b: Tensor
    rejected_reward_b: Tensor

    @property
    def margin_b(self) -> Tensor:
        return self.chosen_reward_b - self.rejected_reward_b


def dpo(model: Sums, reference: Sums, *, beta: float, label_smoothing: float = 0.0) -> Losses:
    """Direct preference optimization; with `label_smoothing`, the share of pairs taken to be the wrong way round, cDPO.

    Source: Rafailov et al. 2023, arXiv:2305.18290, equation 7; Mitchell 2023, "A note on DPO with noisy preferences".
    """
    chosen_b = beta * (model.chosen_b - reference.chosen_b)
    rejected_b = beta * (model.rejected_b - reference.rejected_b)
    margin_b = chosen_b - rejected_b
    loss_b = -(1 - label_smoothing) * functional.logsigmoid(margin_b) - label_smoothing * functional.logsigmoid(
        -margin_b
    )
    return Losses(loss_b=loss_b, chosen_reward_b=chosen_b.detach(), rejected_reward_b=rejected_b.detach())


def kto(
    model: Sums,
    reference: Sums,
    drift_b: Tensor,
    *,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Losses:
    """Kahneman-Tversky optimization: each answer alone is good or bad, against how far the model has drifted.

    Args:
        drift_b: log-probability of an answer to another prompt, the model's less the reference's; their mean, where it
            is above 0, is the point from which gains and losses are felt.

    Source: Ethayarajh et al. 2024, arXiv:2402.01306, equations 7 and 8.
    """
    drift = beta * drift_b.detach().mean().clamp(min=0)
    chosen_b = beta * (model.chosen_b - reference.chosen_b)
    rejected_b = beta * (model.rejected_b - reference.rejected_b)
    loss_b = desirable_weight * (1 - (chosen_b - drift).sigmoid()) + undesirable_weight * (
        1 - (drift - rejected_b).sigmoid()
    )
    return Losses(loss_b=loss_b, chosen_reward_b=chosen_b.detach(), rejected_reward_b=rejected_b.detach())


def orpo(chosen_mean_b: Tensor, rejected_mean_b: Tensor, *, beta: float) -> Losses:
    """Odds ratio preference optimization: learn the chosen answer, and widen the odds between the two.

    Args:
        chosen_mean_b, rejected_mean_b: log-probabilities a token, the mean over an answer.

    Source: Hong et al. 2024, arXiv:2403.07691, equations 4 to 7; the paper's lambda is `beta`.
    """
    odds_b = (chosen_mean_b - rejected_mean_b) - (_log_1m_exp(chosen_mean_b) - _log_1m_exp(rejected_mean_b))
    return Losses(
        loss_b=-chosen_mean_b - beta * functional.logsigmoid(odds_b),
        chosen_reward_b=beta * chosen_mean_b.detach(),
        rejected_reward_b=beta * rejected_mean_b.detach(),
    )


def _log_1m_exp(log_b: Tensor) -> Tensor:
    """log(1 - exp(x)) of x < 0, exact at both ends (Mächler 2012); a certain answer counts as almost certain."""
    log_b = log_b.clamp(max=-1e-7)
    near = log_b > -0.6931471805599453
    # Each branch sees only what is good for it: else the other's gradient is no number.
    inner = (-log_b.masked_fill(~near, -0.1).expm1()).log()
    return inner.where(near, (-log_b.masked_fill(near, -1.0).exp()).log1p())
