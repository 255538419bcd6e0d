"""Search for the sizes of what is fitted in one piece: boosted trees, whose options lie two deep."""

import dataclasses

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.training.search import SearchInputs, search
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.train import TrainInputs, TrainSpec, train
from tests.training.tasks.media import customers

SPACE = {
    "options.model.num_leaves": {"low": 2, "high": 32, "log": True},
    "options.model.learning_rate": {"low": 0.01, "high": 0.3, "log": True},
}


@pytest.fixture
def sets(desk: StagingDesk) -> dict[str, Dataset]:
    return {
        name: desk.dataset(
            name,
            pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(customers(num_rows, seed=seed))]),
            facts={"task": "tabular-classification"},
        )
        for name, num_rows, seed in (("train", 300, 1), ("validation", 120, 9))
    }


def test_the_trees_take_the_sizes_with_the_smallest_loss(context: StageContext, sets: dict[str, Dataset]) -> None:
    given = dataclasses.replace(context, num_threads=1)
    study = search(SearchSpec.model_validate({"space": SPACE, "trials": 6}), SearchInputs(**sets), given).search
    assert not study.facts["higher_is_better"]
    assert study.facts["best"]["score"] == min(trial["score"] for trial in study.facts["trials"])
    assert study.facts["default"]["score"] == study.facts["trials"][0]["score"]
    made = train(TrainSpec(), TrainInputs(**sets, search=study), given)
    model = made.training.facts["hyperparameters"]["options"]["model"]
    best = study.facts["best"]["values"]
    assert model["num_leaves"] == best["options.model.num_leaves"]
    assert model["learning_rate"] == best["options.model.learning_rate"]


def test_a_size_that_the_trees_do_not_have_is_refused(context: StageContext, sets: dict[str, Dataset]) -> None:
    spec = SearchSpec.model_validate({"space": {"options.model.depth": [2, 4]}})
    with pytest.raises(InputError, match=r"space.options.model.depth: .*Extra inputs are not permitted"):
        search(spec, SearchInputs(**sets), context)


def test_a_size_that_is_set_is_refused(context: StageContext, sets: dict[str, Dataset]) -> None:
    with pytest.raises(ValueError, match=r"space.options.model.num_leaves: must be set in train or searched"):
        SearchSpec.model_validate(
            {"train": {"options": {"model": {"name": "boosting", "num_leaves": 8}}}, "space": SPACE}
        )
