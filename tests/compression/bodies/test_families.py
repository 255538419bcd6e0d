"""Cuts of encoders of several families: what opens afterwards is smaller and computes what it should, or it is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelmint.compression.bodies.layers import keep_layers, spaced
from modelmint.compression.bodies.neurons import keep_neurons, num_kept, pairs_of
from modelmint.core.errors import InputError
from modelmint.training.encoders import load_encoder

SIZES = {"vocab_size": 40, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", {**SIZES, "num_hidden_layers": 3}),
    "roberta": ("Roberta", {**SIZES, "num_hidden_layers": 3}),
    "electra": ("Electra", {**SIZES, "num_hidden_layers": 3, "embedding_size": 16}),
    "distilbert": ("DistilBert", {"vocab_size": 40, "dim": 32, "n_heads": 2, "hidden_dim": 64, "n_layers": 3}),
    "modernbert": ("ModernBert", {**SIZES, "num_hidden_layers": 3, "pad_token_id": 0, "bos_token_id": 1,
                                  "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}),
    "albert": ("Albert", {**SIZES, "num_hidden_layers": 3, "embedding_size": 16}),
}  # fmt: skip
IDS = torch.tensor([[5, 6, 7, 8]])


def written(family: str, folder: Path) -> Path:
    import transformers

    name, sizes = FAMILIES[family]
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**sizes))
    model.save_pretrained(folder)
    return folder


def states(encoder: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = encoder.eval()(input_ids=IDS, attention_mask=torch.ones_like(IDS)).last_hidden_state
    return found


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert", "modernbert"])
def test_layers_that_stay_are_those_of_the_whole(family: str, tmp_path: Path) -> None:
    folder = written(family, tmp_path / "whole")
    keep_layers(folder, [0, 2], tmp_path / "cut")
    cut, whole = load_encoder(tmp_path / "cut"), load_encoder(folder)
    assert cut.config.num_hidden_layers == 2
    theirs = {name.replace(".2.", ".1."): one for name, one in whole.state_dict().items() if ".1." not in name}
    assert all(torch.equal(one, theirs[name]) for name, one in cut.state_dict().items())


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert"])
def test_neurons_that_count_for_nothing_are_taken_out_without_a_trace(family: str, tmp_path: Path) -> None:
    folder = written(family, tmp_path / "whole")
    whole = load_encoder(folder)
    pairs, _ = pairs_of(whole)
    kept = [torch.rand(64) for _ in pairs]
    with torch.no_grad():
        for pair, importance_f in zip(pairs, kept, strict=True):
            whole.get_submodule(pair.down).weight[:, importance_f.argsort()[:32]] = 0
    whole.save_pretrained(folder)
    keep_neurons(folder, kept, 32, tmp_path / "cut")
    torch.testing.assert_close(states(load_encoder(tmp_path / "cut")), states(whole), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("family", "match"), [("modernbert", "feed-forward"), ("albert", "one list")])
def test_a_family_without_such_pairs_is_refused(family: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=match):
        pairs_of(load_encoder(written(family, tmp_path / "whole")))


@pytest.mark.parametrize(
    ("num", "of", "kept"), [(1, 6, [0]), (2, 6, [0, 5]), (3, 6, [0, 2, 5]), (5, 6, [0, 1, 2, 4, 5])]
)
def test_layers_are_spaced_evenly(num: int, of: int, kept: list[int]) -> None:
    assert spaced(num, of) == kept


@pytest.mark.parametrize(("percent", "width", "kept"), [(50, 1536, 768), (33, 1536, 496), (1, 64, 16), (50, 8, 4)])
def test_neurons_come_in_sixteens(percent: int, width: int, kept: int) -> None:
    assert num_kept(percent, width) == kept
