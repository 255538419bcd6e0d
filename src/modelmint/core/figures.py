"""The figures that a task has: which are shares, which are better low, and how each is called and written."""

from collections.abc import Mapping
from typing import Any

from modelmint.core.formats import percent

SHARES = frozenset({
    "accuracy", "macro_f1", "micro_f1", "ece", "f1", "precision", "recall", "subset_accuracy", "jaccard", "exact_match",
    "finished", "recall_at_10", "ndcg_at_10", "mrr_at_10", "accuracy_at_1", "hit_rate_at_10", "reward_accuracy", "auc",
    "out_of_scope_auroc", "out_of_scope_fpr",
})  # fmt: skip
"""Figures from 0 to 1."""
LOWER_IS_BETTER = frozenset({
    "log_loss", "ece", "rmse", "mae", "loss", "perplexity", "bits_per_byte", "bits_per_character", "answer_loss",
    "out_of_scope_fpr",
})  # fmt: skip
OTHERS = frozenset({
    "r2", "pearson", "spearman", "bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "margin", "reward_margin",
    "mean_labels",
})  # fmt: skip
METRICS = tuple(sorted(SHARES | LOWER_IS_BETTER | OTHERS))
"""Every figure that a task has (`evaluation.metrics`); those of one label or type are written ``f1:PER``."""
TITLES = {
    "accuracy": "Accuracy", "macro_f1": "Macro-F1", "micro_f1": "Micro-F1", "auc": "AUC", "log_loss": "Log loss",
    "ece": "Calibration error", "f1": "F1", "bleu": "BLEU", "chrf": "chrF", "rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2", "rouge_l": "ROUGE-L", "rmse": "RMSE",
    "mae": "MAE", "r2": "R²", "ndcg_at_10": "NDCG at 10", "mrr_at_10": "MRR at 10", "recall_at_10": "Recall at 10",
    "out_of_scope_auroc": "Out of scope: AUROC", "out_of_scope_fpr": "Out of scope: let through at 95 % recall",
}  # fmt: skip


def title_of(name: str) -> str:
    """A figure's name for people."""
    plain, _, part = name.partition(":")
    titled = TITLES.get(plain, plain.replace("_", " ").capitalize())
    return f"{titled}: {part}" if part else titled


def is_lower_better(name: str) -> bool:
    """Whether less of it is better."""
    return name.partition(":")[0] in LOWER_IS_BETTER


def is_share(name: str) -> bool:
    """Whether a figure is written in per cent: a share, but an area under a curve as it is."""
    return name.partition(":")[0] in SHARES - {"auc", "out_of_scope_auroc"}


def written(name: str, value: float) -> str:
    """A figure's value for people."""
    return percent(value) if is_share(name) else f"{value:.4g}"


def interval(name: str, one: Mapping[str, Any]) -> str:
    """Its ends."""
    if is_share(name):
        return f"{100 * one['low']:.1f} to {100 * one['high']:.1f}%"
    return f"{one['low']:.4g} to {one['high']:.4g}"
