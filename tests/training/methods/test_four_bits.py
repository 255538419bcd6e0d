"""QLoRA: the base in four bits a weight, trained through, and unpacked again."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from modelmint.core.errors import InputError
from modelmint.training.encoders import load_encoder
from modelmint.training.methods.four_bits import FourBitLinear, num_weights
from modelmint.training.methods.spec import QLora
from modelmint.training.methods.tune import plain, tuned
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]
HAS_BITS = importlib.util.find_spec("bitsandbytes") is not None
needs_bits = pytest.mark.skipif(not HAS_BITS, reason="the extra `qlora` is not installed")


@pytest.mark.skipif(HAS_BITS, reason="the extra `qlora` is installed")
def test_without_the_extra_it_is_said_how_to_install_it(learn: Learn) -> None:
    with pytest.raises(InputError, match="`qlora` needs the extra `qlora`") as raised:
        learn(questions(20), method="qlora")
    assert "pip install 'modelmint[qlora]'" in str(raised.value.remedy)


@needs_bits
def test_a_packed_layer_is_near_the_layer_and_takes_an_eighth(base: Path) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(128, 64)
    packed = FourBitLinear(layer)
    states = torch.randn(10, 128)
    assert (packed(states) - layer(states)).abs().mean() < 0.15 * layer(states).abs().mean()
    num_bytes = packed.weight.nbytes + packed.absmax_q.nbytes
    assert num_bytes == 64 * 128 // 2 + 64 * 128 // 64 * 4
    assert num_weights(packed) == (64 * 128 + 64, 64)


@needs_bits
def test_its_gradient_is_that_of_the_unpacked_weights() -> None:
    torch.manual_seed(0)
    packed = FourBitLinear(nn.Linear(128, 64))
    states = torch.randn(3, 5, 128, requires_grad=True)
    packed(states).square().sum().backward()
    again = states.detach().clone().requires_grad_()
    nn.functional.linear(again, packed.unpacked(), packed.bias).square().sum().backward()
    torch.testing.assert_close(states.grad, again.grad)


@needs_bits
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_computes_in_the_precision_of_the_training(dtype: torch.dtype) -> None:
    packed = FourBitLinear(nn.Linear(128, 64))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
        assert packed(torch.randn(2, 128)).dtype == dtype


@needs_bits
def test_unpacked_and_merged_it_answers_as_it_did_in_four_bits(base: Path) -> None:
    encoder = tuned(load_encoder(base), QLora(rank=4))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    ids = {"input_ids": torch.tensor([[2, 6, 9, 12, 3]]), "attention_mask": torch.ones(1, 5, dtype=torch.long)}
    encoder.train(False)
    with torch.no_grad():
        before = encoder(**ids).last_hidden_state
        merged = plain(encoder)
        torch.testing.assert_close(merged(**ids).last_hidden_state, before, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, FourBitLinear) for module in merged.modules())


@needs_bits
def test_the_report_counts_two_weights_a_byte(learn: Learn, base: Path) -> None:
    facts = [learn(questions(24), method={"name": name, "rank": 4}).training.facts for name in ("lora", "qlora")]
    assert facts[0]["parameters"] == facts[1]["parameters"]
    assert facts[0]["trained_parameters"] == facts[1]["trained_parameters"]


@needs_bits
def test_embeddings_and_norms_stay_as_they_were(learn: Learn, base: Path) -> None:
    after = load_file(learn(questions(24), method="qlora").model.files.folder() / "model.safetensors")
    before = load_file(base / "model.safetensors")
    kept = [name for name in after if "embeddings" in name or "LayerNorm" in name]
    assert len(kept) > 4
    assert all(torch.equal(after[name], before[name]) for name in kept)
