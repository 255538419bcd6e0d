"""Several sequences in one block, which do not see each other."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelmint.training.causal import CausalModel, load_causal
from modelmint.training.packing import lay_out, pack
from modelmint.training.tasks.causal_learner import can_pack
from tests.tiny_causal import write_causal


@pytest.fixture(scope="session")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_causal(tmp_path_factory.mktemp("causal"))


def test_packed_and_unpacked_logits_of_a_chat_are_equal(causal: Path) -> None:
    model = CausalModel(load_causal(causal)).eval()
    rows = [[3, 5, 8, 9, 2], [7, 7, 1], [4, 6, 4, 6]]
    places = pack([len(row) for row in rows], 9)
    ids_bt, position_bt, _ = lay_out(rows, places, pad_id=0)
    packed = model(input_ids=ids_bt, position_ids=position_bt)
    assert len(ids_bt) == 2
    for row, place in zip(rows, places, strict=True):
        alone = model(input_ids=torch.tensor([row]))[0]
        torch.testing.assert_close(packed[place.block, place.start : place.start + len(row)], alone)


def test_a_base_that_mixes_packed_chats_is_not_packed(causal: Path) -> None:
    class Mixing(CausalModel):
        def forward(self, **inputs: Any) -> torch.Tensor:
            inputs.pop("position_ids", None)
            return super().forward(**inputs)

    encoder = load_causal(causal)
    assert (can_pack(CausalModel(encoder), 0), can_pack(Mixing(encoder), 0)) == (True, False)


def test_no_place_is_given_twice_and_little_room_is_left() -> None:
    lengths = [5, 9, 1, 4, 4, 7, 2, 12]
    places = pack(lengths, 10)
    taken = [
        (place.block, at)
        for place, n in zip(places, lengths, strict=True)
        for at in range(place.start, place.start + n)
    ]
    assert (len(taken), max(place.block for place in places) + 1) == (len(set(taken)), 5)
