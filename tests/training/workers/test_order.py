"""What workers are told: read as it was written, and refused where a machine does not see the same files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modelmint.core import tables
from modelmint.core.errors import DataError, StageError
from modelmint.core.types import Dataset
from modelmint.training.beginnings import Beginning
from modelmint.training.ranks import Ranks
from modelmint.training.spec import TrainSpec
from modelmint.training.workers.order import Order, made, put, put_error
from tests.tiny_base import questions


@pytest.fixture
def order(tmp_path: Path, base: Path, dataset: Callable[..., Dataset]) -> Order:
    spec = TrainSpec(base=str(base), workers=2)
    return Order(
        folder=tmp_path / "order",
        checkpoints=tmp_path / "checkpoints",
        spec=spec,
        train=dataset(questions(9)),
        validation=dataset(questions(4)),
        task="text-classification",
        beginning=Beginning.of(spec, None),
        seed=17,
        num_threads=1,
        deadline_s=None,
    )


def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    read = Order.read(order.write())
    assert (read.spec, read.beginning.digest, read.train.digest) == (
        order.spec,
        order.beginning.digest,
        order.train.digest,
    )
    assert tables.read(read.train).equals(tables.read(order.train))


@pytest.mark.parametrize("gone", ["checkpoints", "order"])
def test_a_machine_that_sees_other_files_says_so(order: Order, tmp_path: Path, gone: str) -> None:
    path = order.write()
    shutil.rmtree(tmp_path / gone)
    with pytest.raises(StageError, match=f"must be one folder to all machines of the cluster; .* sees no .*{gone}"):
        Order.read(path)


def test_what_a_worker_raised_is_raised_in_place_of_what_was_made(tmp_path: Path) -> None:
    put(tmp_path, "made.json", {"about": {}})
    put_error(tmp_path, DataError("label: must be there", parameter="label"))
    with pytest.raises(DataError, match="label: must be there"):
        made(tmp_path)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_every_row_of_a_batch_is_one_rank_s(size: int) -> None:
    rows, parts = list(range(20, 27)), []
    for rank in range(size):
        ranks = Ranks()
        ranks.rank, ranks.size = rank, size
        parts.append(list(ranks.part(rows)))
    assert sorted(row for part in parts for row in part) == rows
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
