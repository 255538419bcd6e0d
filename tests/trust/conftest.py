"""Inputs of the report stage as the other stages write them: real artifacts, real metrics, invented answers."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core import tables
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Report
from modelmint.evaluation.metrics.classification import calibration, confusions, measure, per_class
from modelmint.trust.report import ReportInputs, ReportOutputs, ReportSpec, report

INTENTS = (
    "track_order",
    "cancel_order",
    "change_address",
    "return_item",
    "refund_status",
    "damaged_item",
    "missing_item",
    "wrong_item",
    "payment_declined",
    "double_charge",
    "invoice_request",
    "discount_code",
    "stock_availability",
    "product_question",
    "warranty_claim",
    "login_problem",
    "delete_account",
    "speak_to_human",
)
OPTIONAL = ("preflight", "deidentification", "training", "curation", "validation")


@pytest.fixture
def inputs(desk: StagingDesk, tmp_path: Path) -> Callable[..., ReportInputs]:
    """``inputs(labels=..., num_test=..., without=("preflight",))``."""

    def make(
        labels: Sequence[str] = INTENTS,
        *,
        num_test: int = 240,
        without: Sequence[str] = ("curation",),
        licences: Sequence[str] = ("Apache-2.0",),
        wrong: float = 0.09,
        **changed: Any,
    ) -> ReportInputs:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(bytes(90_912))
        about = {
            "task": "text-classification",
            "labels": list(labels),
            "max_tokens": 64,
            "base": "starter",
            "languages": ["en"],
        }
        made: dict[str, Any] = {
            "model": desk.model("customer-service", folder, facts={**about, "engine": "torch"}, licences=licences),
            "variant": desk.model(
                "customer-service", folder, facts={**about, "engine": "onnx", "variant": "onnx-int8"}, licences=licences
            ),
            "train": _dataset(desk, "train", labels, 4 * num_test),
            "test": _dataset(desk, "test", labels, num_test),
            "validation": _dataset(desk, "validation", labels, num_test // 2),
            "evaluation": desk.report("evaluation", _evaluation(tuple(labels), num_test, wrong)),
            "compression": _compression(desk, num_test),
            "parity": _parity(desk, min(num_test, 500)),
            "preflight": _preflight(desk),
            "training": _training(desk),
            "deidentification": desk.report(
                "deidentification", {"masked": {"card": 6, "email": 10, "iban": 2, "id": 4, "phone": 8}, "rows": 1201}
            ),
            "curation": desk.report(
                "curation",
                {"entries": 40, "kept": 25, "repeat": 2, "quarantined": {"leak": 5, "no_label": 10}, "refused": []},
            ),
            "quarantine": _quarantine(desk),
        } | changed
        for name in without:
            made[name] = () if name == "quarantine" else None
        return ReportInputs(**made)

    return make


@pytest.fixture
def written(inputs: Callable[..., ReportInputs], context: StageContext) -> Callable[..., tuple[Report, str, str]]:
    """Run the stage: the report, its README and its page. Takes `spec` and what `inputs` takes."""

    def run(*, spec: ReportSpec | None = None, **given: Any) -> tuple[Report, str, str]:
        outputs: ReportOutputs = report(spec or ReportSpec(title="Customer service intents"), inputs(**given), context)
        return outputs.card, _text(outputs.card, "README.md"), _text(outputs.card, "report.html")

    return run


def _text(card: Report, path: str) -> str:
    with card.files.open(path) as stream:
        return stream.read().decode()


def _dataset(desk: StagingDesk, name: str, labels: Sequence[str], num_rows: int) -> Dataset:
    chosen = _drawn(labels, num_rows, seed=len(name))
    return desk.dataset(
        name,
        pa.table(
            {
                "_row": [f"{name}{at}" for at in range(num_rows)],
                "text": ["where is my parcel?"] * num_rows,
                "label": pa.array(chosen, pa.string()),
            }
        ),
    )


def _drawn(labels: Sequence[str], num_rows: int, *, seed: int) -> list[str]:
    """Every label at least once, then some more often than others."""
    random = np.random.default_rng(seed)
    weights = 1.0 / (1 + np.arange(len(labels)) % 7)
    more = random.choice(len(labels), size=max(num_rows - len(labels), 0), p=weights / weights.sum())
    return [labels[at] for at in [*range(min(len(labels), num_rows)), *more.tolist()]]


@cache
def _evaluation(labels: tuple[str, ...], num_rows: int, wrong: float) -> dict[str, Any]:
    truth, random = _drawn(labels, num_rows, seed=4), np.random.default_rng(9)
    predicted, cheap = (_answers(truth, labels, random, share) for share in (wrong, wrong + 0.07))
    probabilities = np.full((num_rows, len(labels)), 1e-3, dtype=np.float32)
    for row, label in enumerate(predicted):
        probabilities[row, labels.index(label)] = random.beta(
            9 if label == truth[row] else 4, 1.3 if label == truth[row] else 3
        )
    metrics, beside = measure(truth, predicted, seed=1), measure(truth, cheap, seed=1)
    return {
        "num_rows": num_rows,
        "metrics": metrics,
        "live": None,
        "per_class": per_class(truth, predicted),
        "baseline": {
            "name": "tfidf+logistic regression",
            "metrics": beside,
            "difference": {"accuracy": {"value": 0.05, "low": 0.01, "high": 0.09, "n": num_rows}},
        },
        "confusions": confusions(truth, predicted),
        "calibration": calibration(truth, labels, probabilities),
        "gates": [
            {
                "name": "accuracy",
                "allowed": ">= 0.8",
                "value": metrics["accuracy"]["value"],
                "passed": True,
                "reason": "",
            },
            {
                "name": "accuracy",
                "allowed": ">= baseline + 0.02",
                "value": metrics["accuracy"]["value"],
                "passed": True,
                "reason": "",
            },
        ],
        "refused": [],
        "warnings": [],
    }


def _answers(truth: Sequence[str], labels: Sequence[str], random: np.random.Generator, share: float) -> list[str]:
    """The truth, but for a share of rows that get the label beside it."""
    return [
        labels[(labels.index(label) + int(random.integers(1, 3))) % len(labels)]
        if random.random() < share * (1 + labels.index(label) % 3) / 2
        else label
        for label in truth
    ]


def _compression(desk: StagingDesk, num_rows: int) -> Report:
    names, sizes = ("onnx-fp32", "onnx-int8"), (91_140_000, 23_011_000)
    accuracies, times = (0.9125, 0.9083), ((4.1, 6.0), (1.9, 2.8))
    variants = [
        {
            "name": name,
            "size_bytes": size,
            "chosen": name == "onnx-int8",
            "agreement": 1.0 if name != "onnx-int8" else 0.9917,
            "metrics": {
                "accuracy": {"value": accuracy, "low": accuracy - 0.04, "high": accuracy + 0.03, "n": num_rows}
            },
        }
        for name, size, accuracy in zip(names, sizes, accuracies, strict=True)
    ]
    measured = {
        name: {
            "p50_ms": p50,
            "p95_ms": p95,
            "throughput_per_s": round(2400 / p50),
            "cost_per_million": f"{p50 / 9:.2f} USD",
        }
        for name, (p50, p95) in zip(names, times, strict=True)
    }
    return desk.report(
        "compression",
        {
            "model": {"metrics": {"accuracy": {"value": 0.9125, "low": 0.87, "high": 0.94, "n": num_rows}}},
            "variants": variants,
            "refused": [],
        },
        measured={"variants": measured},
    )


def _parity(desk: StagingDesk, num_rows: int) -> Report:
    return desk.report(
        "parity",
        {
            "num_rows": num_rows,
            "agreement": 0.9917,
            "accuracy_model": 0.9125,
            "accuracy_served": 0.9083,
            "refused": [],
            "gates": [{"name": "agreement", "allowed": ">= 0.99", "value": 0.9917, "passed": True, "reason": ""}],
        },
        measured={"p50_ms": 5.2, "p95_ms": 11.4},
    )


def _preflight(desk: StagingDesk) -> Report:
    counts = [0, 31, 160, 240, 236, 175, 130, 88, 61, 40, 25, 17, 9, 7, 4, 3, 2, 2, 1, 1]
    return desk.report(
        "preflight",
        {
            "rows": 1232,
            "tokens": {
                "p50": 17,
                "max": 79,
                "unknown_share": 0.0004,
                "histogram": {"edges": list(range(0, 84, 4)), "counts": counts},
            },
            "truncated": {"rows": 6, "share": 0.0049, "limit": 64},
            "labels": {"alike": []},
            "duplicates": 24,
            "leaks": 0,
            "warnings": [],
            "refused": [],
        },
        measured={"estimate": {"seconds": 58.0, "memory_bytes": 1_650_000_000}},
    )


def _training(desk: StagingDesk) -> Report:
    history = [
        {
            "epoch": epoch,
            "train_loss": round(2.9 * 0.42**epoch + 0.05, 4),
            "validation_loss": round(2.7 * 0.45**epoch + 0.24, 4),
            "validation_accuracy": round(0.915 - 0.62 * 0.34**epoch, 4),
        }
        for epoch in range(1, 6)
    ]
    return desk.report(
        "training",
        {"history": history, "best_epoch": 5, "epochs": 5, "parameters": 22_720_146},
        measured={"seconds": 71.3, "memory_bytes": 1_480_000_000, "examples_per_s": 112.0},
    )


def _quarantine(desk: StagingDesk) -> tuple[Dataset, ...]:
    collected = (
        ["missing_label"] * 3 + ["empty_text"] * 3 + ["bad_width"] * 4 + ["undecodable"] * 2 + ["nul_byte", "too_long"]
    )
    cleaned = ["duplicate"] * 24 + ["label_conflict"] * 8
    return tuple(
        desk.dataset(
            "quarantine",
            tables.rows(
                [
                    {"_row": f"{name}{at}", "reason": reason, "detail": "", "raw": ""}
                    for at, reason in enumerate(reasons)
                ],
                tables.QUARANTINE,
            ),
        )
        for name, reasons in (("collect", collected), ("clean", cleaned))
    )
