"""The losses of preference tuning are those of TRL, where it and `datasets` are installed, and of the papers."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from modelmint.training.causal import CausalModel, grow, load_causal
from modelmint.training.tasks.answer_pairs import AnswerPair, AnswerPairs
from modelmint.training.tasks.causal_learner import laid_out, losses_of
from modelmint.training.tasks.chat_rows import ChatTokens, TaughtRow
from modelmint.training.tasks.preference_losses import Sums, dpo, kto, orpo
from tests.tiny_causal import pairs, write_causal

CHOSEN, REJECTED = torch.tensor([-3.0, -8.0]), torch.tensor([-5.0, -7.0])
MODEL, REFERENCE = Sums(chosen_b=CHOSEN, rejected_b=REJECTED), Sums(chosen_b=CHOSEN - 1, rejected_b=REJECTED + 0.5)


def test_dpo_is_the_log_sigmoid_of_the_margin() -> None:
    losses = dpo(MODEL, REFERENCE, beta=2.0)
    assert losses.margin_b.tolist() == [3.0, 3.0]
    assert losses.loss_b.tolist() == pytest.approx([math.log1p(math.exp(-3.0))] * 2)


def test_label_smoothing_takes_some_pairs_the_other_way_round() -> None:
    plain, swapped = dpo(MODEL, REFERENCE, beta=2.0), dpo(_swapped(MODEL), _swapped(REFERENCE), beta=2.0)
    smoothed = dpo(MODEL, REFERENCE, beta=2.0, label_smoothing=0.2)
    torch.testing.assert_close(smoothed.loss_b, 0.8 * plain.loss_b + 0.2 * swapped.loss_b)


def test_kto_feels_nothing_below_a_drift_of_zero() -> None:
    losses = [kto(MODEL, REFERENCE, torch.tensor([drift, drift]), beta=0.5).loss_b for drift in (-4.0, 0.0, 1.0)]
    assert losses[0].tolist() == losses[1].tolist() != losses[2].tolist()


def test_kto_weighs_good_and_bad_answers_apart() -> None:
    zero = torch.zeros(2)
    good, bad = (
        kto(MODEL, REFERENCE, zero, beta=0.5, desirable_weight=good, undesirable_weight=bad).loss_b
        for good, bad in ((1.0, 1e-9), (1e-9, 1.0))
    )
    torch.testing.assert_close(good + bad, kto(MODEL, REFERENCE, zero, beta=0.5).loss_b)


def test_orpo_of_an_answer_that_is_certain_has_a_gradient() -> None:
    mean_b = torch.tensor([0.0, -1e-6, -50.0], requires_grad=True)
    orpo(mean_b, torch.tensor([-1.0, -1.0, -1.0]), beta=0.1).loss_b.sum().backward()
    assert mean_b.grad is not None
    assert mean_b.grad.isfinite().all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dpo_of_a_model_is_that_of_trl(tmp_path: Path) -> None:
    trl = _trl()
    case = _Case(tmp_path)
    trainer = trl.DPOTrainer(
        model=case.model.encoder,
        ref_model=case.reference.encoder,
        args=trl.DPOConfig(output_dir=str(tmp_path / "out"), beta=0.3, report_to="none", use_cpu=True, bf16=False),
        train_dataset=case.dataset(pairs(4)),
        processing_class=case.tokenizer(),
    )
    trainer.model.eval()
    with torch.no_grad():
        theirs = trainer._compute_loss(trainer.model, case.inputs("chosen", "rejected"), return_outputs=False)
    ours = dpo(case.sums(case.model), case.sums(case.reference), beta=0.3)
    torch.testing.assert_close(ours.loss_b.mean(), theirs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_kto_of_a_model_is_that_of_trl(tmp_path: Path) -> None:
    trl = _trl()
    case = _Case(tmp_path)
    trainer = trl.KTOTrainer(
        model=case.model.encoder,
        ref_model=case.reference.encoder,
        args=trl.KTOConfig(
            output_dir=str(tmp_path / "out"),
            beta=0.3,
            desirable_weight=1.5,
            per_device_train_batch_size=4,
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        train_dataset=case.dataset(
            [{"prompt": row["prompt"], "completion": row["chosen"], "label": True} for row in pairs(4)]
        ),
        processing_class=case.tokenizer(),
    )
    trainer.model.eval()
    inputs = case.inputs("chosen", "rejected")
    inputs |= {f"KL_{name}": tensor for name, tensor in case.inputs("stranger").items()}
    inputs["label"] = torch.tensor([True] * 4 + [False] * 4)
    with torch.no_grad():
        theirs = trainer._compute_loss(trainer.model, inputs, return_outputs=False)
    drift_b = case.said(case.model, "stranger") - case.said(case.reference, "stranger")
    ours = kto(case.sums(case.model), case.sums(case.reference), drift_b, beta=0.3, desirable_weight=1.5)
    assert drift_b.mean() > 0
    torch.testing.assert_close(ours.loss_b.mean(), 2 * theirs)  # theirs is a mean over answers, ours over pairs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_odds_of_orpo_are_those_of_trl(tmp_path: Path) -> None:
    _trl()
    trainer_type: Any = pytest.importorskip("trl.experimental.orpo").ORPOTrainer
    case = _Case(tmp_path)
    inputs = case.inputs("chosen")
    labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
    with torch.no_grad():
        logits_btv = case.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    mean_b = trainer_type.get_batch_logps(logits_btv, labels, average_log_prob=True)
    lengths_b = torch.tensor([pair.chosen.num_taught for pair in case.pairs])
    torch.testing.assert_close(case.said(case.model, "chosen") / lengths_b, mean_b)
    rejected_b = case.said(case.model, "rejected") / lengths_b
    trainer = object.__new__(trainer_type)
    trainer.beta, trainer.accelerator = 0.3, SimpleNamespace(device="cpu")
    ours = orpo(mean_b, rejected_b, beta=0.3)
    torch.testing.assert_close(ours.loss_b + mean_b, -trainer.odds_ratio_loss(mean_b, rejected_b)[0])


class _Case:
    """Two random models, and pairs as both libraries read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = write_causal(folder / "base")
        tokens = ChatTokens(self.folder)
        rows = {name: [row[name] for row in pairs(4)] for name in ("prompt", "chosen", "rejected")}
        self.pairs: Sequence[AnswerPair] = list(AnswerPairs(tokens, 100).read(rows, Counter()).values())
        self.model, self.reference = (CausalModel(load_causal(self.folder)) for _ in range(2))
        for seed, model in enumerate((self.model, self.reference)):
            grow(model.encoder, tokens.num_tokens, like=[])
            torch.manual_seed(seed + 5)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.05 * torch.randn_like(parameter))

    def dataset(self, rows: list[dict[str, Any]]) -> Any:
        flat = [
            {name: cell[0]["content"] if isinstance(cell, list) else cell for name, cell in row.items()} for row in rows
        ]
        return pytest.importorskip("datasets").Dataset.from_list(flat)

    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        found = AutoTokenizer.from_pretrained(self.folder)
        found.pad_token = found.eos_token
        return found

    def rows(self, *sides: str) -> list[TaughtRow]:
        return [getattr(pair, side) for side in sides for pair in self.pairs]

    def inputs(self, *sides: str) -> dict[str, Tensor]:
        laid = laid_out(self.rows(*sides), 0, torch.device("cpu"))
        mask_bt = torch.cat([torch.zeros(len(laid.taught_bt), 1, dtype=torch.long), laid.taught_bt.long()], dim=1)
        return {**laid.inputs, "completion_mask": mask_bt}

    def said(self, model: CausalModel, side: str) -> Tensor:
        return -torch.tensor(losses_of(model, self.rows(side), 0))

    def sums(self, model: CausalModel) -> Sums:
        return Sums(chosen_b=self.said(model, "chosen"), rejected_b=self.said(model, "rejected"))


def _trl() -> Any:
    pytest.importorskip("datasets")
    return pytest.importorskip("trl")


def _swapped(sums: Sums) -> Sums:
    return Sums(chosen_b=sums.rejected_b, rejected_b=sums.chosen_b)
