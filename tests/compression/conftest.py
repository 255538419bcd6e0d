"""A tiny trained model to compress, trained once."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.training.train import TrainInputs, TrainSpec, train
from tests.tiny_base import questions, write_base


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained") / "model"


@pytest.fixture
def model(
    trained_folder: Path, context: StageContext, desk: StagingDesk, dataset: Callable[..., Dataset], tmp_path: Path
) -> Model:
    """A classifier of four topics."""
    facts: dict[str, Any] = {
        "task": "text-classification",
        "labels": ["card", "cash", "loan", "rate"],
        "max_tokens": 16,
        "base": "base",
        "languages": ["en"],
        "engine": "torch",
    }
    if not trained_folder.exists():
        spec = TrainSpec(
            base=str(write_base(tmp_path / "base")),
            epochs=4,
            batch_size=8,
            learning_rate=3e-3,
            head_learning_rate=1e-2,
            max_tokens=16,
            min_steps=0,
            precision="fp32",
        )
        inputs = TrainInputs(train=dataset(questions(240)), validation=dataset(questions(60, seed=99)))
        made = train(spec, inputs, dataclasses.replace(context, num_threads=1))
        shutil.copytree(made.model.files.folder(), trained_folder)
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
    return desk.model("model", trained_folder, facts=facts, licences=["MIT"])
