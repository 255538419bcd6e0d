"""Adapters: PEFT puts them to the base again and gives the trained model's numbers; else the refusal says why."""

from pathlib import Path

import numpy as np
import pytest
import torch

from modelmint.core.errors import InputError, StageError
from modelmint.core.types import Model
from modelmint.training.batches import open_tokenizer, pad_batch
from modelmint.training.encoders import mean_state
from modelmint.training.tasks import open_model
from tests.compression.exports.conftest import Trained, Walk
from tests.tiny_base import questions, write_base

TEXTS = ["the plastic card", "cash notes", "loan interest today please"]


def logits_by_peft(base: Path, folder: Path, num_tokens: int) -> np.ndarray:
    """The base, PEFT, the mean of the states and the head: what the README says."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModel

    model = PeftModel.from_pretrained(AutoModel.from_pretrained(base), str(folder))
    model.train(False)
    ids = open_tokenizer(folder, num_tokens)(TEXTS)
    head = load_file(folder / "2_Dense" / "model.safetensors")
    with torch.no_grad():
        states_bd = mean_state(model, pad_batch(ids, 0, torch.device("cpu")))
    return (states_bd @ head["linear.weight"].T + head["linear.bias"]).numpy()


def ours(model: Model) -> np.ndarray:
    found: np.ndarray = open_model(model.files.folder()).logits(TEXTS)  # type: ignore[attr-defined]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("method", [{"name": "lora", "rank": 4}, {"name": "rslora", "rank": 2}], ids=["lora", "rslora"])
def test_what_was_merged_is_found_again(
    method: dict[str, object], trained: Trained, walk: Walk, base: Path, tmp_path: Path
) -> None:
    model = trained("text-classification", questions(48), method=method, epochs=2).model
    told = walk(model, tmp_path / "out", "adapter", base=str(base))
    assert told["checks"]["rank"] == method["rank"]
    assert np.allclose(logits_by_peft(base, tmp_path / "out", 32), ours(model), atol=1e-4)


def test_the_adapter_is_the_same_each_time(trained: Trained, walk: Walk, base: Path, tmp_path: Path) -> None:
    model = trained("text-classification", questions(32), method={"name": "lora", "rank": 4}).model
    both = [walk(model, tmp_path / name, "adapter", base=str(base))["files"] for name in ("one", "two")]
    assert both[0] == both[1]


def test_a_tuned_prompt_is_copied_and_opened_by_peft(trained: Trained, walk: Walk, base: Path, tmp_path: Path) -> None:
    model = trained(
        "text-classification", questions(32), method={"name": "prompt", "num_tokens": 4}, max_tokens=24
    ).model
    walk(model, tmp_path / "out", "adapter")
    assert (tmp_path / "out" / "adapter_config.json").is_file()
    assert np.allclose(logits_by_peft(base, tmp_path / "out", 24), ours(model), atol=1e-4)


def test_the_wrong_base_is_noticed(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    model = trained("text-classification", questions(32), method={"name": "lora", "rank": 4}).model
    other = write_base(tmp_path / "other")
    from safetensors.torch import load_file, save_file

    tensors = load_file(other / "model.safetensors")
    save_file(
        {name: one + 0.01 for name, one in tensors.items()}, other / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(StageError, match="base and adapter must give the trained weights"):
        walk(model, tmp_path / "out", "adapter", base=str(other))


def test_a_base_that_is_not_at_hand_is_asked_for(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    model = trained("text-classification", questions(32), method={"name": "lora", "rank": 4}).model
    with pytest.raises(InputError, match="must be at hand to tell the adapter apart"):
        walk(model, tmp_path / "out", "adapter")


@pytest.mark.parametrize(
    ("name", "why"), [("freeze", "trained as a whole"), ("ia3", "IA3 multiplies"), ("dora", "DoRA changes")]
)
def test_what_cannot_be_told_apart_says_why(
    name: str, why: str, trained: Trained, walk: Walk, base: Path, tmp_path: Path
) -> None:
    model = trained("text-classification", questions(32), method=name).model
    with pytest.raises(InputError, match=why):
        walk(model, tmp_path / "out", "adapter", base=str(base))
