"""Encoders with a head: what transformers puts between states and the last layer is kept, for encoders of other makes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelmint.core.errors import InputError
from modelmint.training.encoders import load_encoder
from modelmint.training.headed import Kind, new_headed, read_headed, save_headed
from tests.tiny_base import write_base

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
}


def _write(folder: Path, name: str, **sizes: Any) -> Path:
    import transformers

    write_base(folder)  # for its tokenizer
    config = getattr(transformers, f"{name}Config")(**SIZES | sizes)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["AutoModelForTokenClassification", "AutoModelForQuestionAnswering"])
@pytest.mark.parametrize("name", ["Roberta", "Electra", "ModernBert"])
def test_a_saved_folder_gives_the_same_numbers_here_and_in_transformers(name: str, kind: Kind, tmp_path: Path) -> None:
    import transformers

    sizes = {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2} if name == "ModernBert" else {}
    base = _write(tmp_path / "base", name, **sizes)
    torch.manual_seed(1)
    encoder = load_encoder(base)
    encoder.config.num_labels = 2
    save_headed(new_headed(encoder, kind), kind, base, tmp_path / "saved")
    theirs = getattr(transformers, kind).from_pretrained(tmp_path / "saved").train(False)
    ids, mask = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0]]), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        ours, answer = read_headed(tmp_path / "saved", kind)(ids, mask), theirs(ids, mask)
    logits = answer.logits if "logits" in answer else torch.stack([answer.start_logits, answer.end_logits], dim=-1)
    assert torch.allclose(ours[mask == 1], logits[mask == 1], atol=1e-5)


def test_an_encoder_for_which_there_is_no_head_is_refused(tmp_path: Path) -> None:
    class Strange:
        model_type = "strange"

    class Encoder:
        config = Strange()

    with pytest.raises(InputError, match="head of AutoModelForQuestionAnswering"):
        new_headed(Encoder(), "AutoModelForQuestionAnswering")
