"""How figures are called and written on an evaluation's page."""

from collections.abc import Mapping
from typing import Any

from modelmint.core.formats import percent
from modelmint.evaluation.gates import SHARES

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


def written(name: str, value: float) -> str:
    """A figure's value for people: a share in per cent, but an error of calibration and an area as they are."""
    return percent(value) if name.partition(":")[0] in SHARES - {"auc", "out_of_scope_auroc"} else f"{value:.4g}"


def interval(name: str, one: Mapping[str, Any]) -> str:
    """Its ends."""
    if is_share(name):
        return f"{100 * one['low']:.1f} to {100 * one['high']:.1f}%"
    return f"{one['low']:.4g} to {one['high']:.4g}"


def is_share(name: str) -> bool:
    """Whether a figure is written in per cent."""
    return name.partition(":")[0] in SHARES - {"auc", "out_of_scope_auroc"}


def p_of(value: float) -> str:
    """A p-value for people: never 0."""
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def low(title: str) -> str:
    """A title within a sentence."""
    return title if title[1:2].isupper() or title.startswith(("Macro-F1", "Micro-F1")) else title[0].lower() + title[1:]


def sentence(text: str) -> str:
    """With a capital, where it does not begin with the name of a figure or a gate."""
    first = text.partition(" ")[0]
    return text if first.endswith(":") or "[" in first else text[:1].upper() + text[1:]
