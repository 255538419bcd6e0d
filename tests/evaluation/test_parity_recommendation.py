"""Parity of a recommender: a good candidate passes with odd histories, and faults planted in one are refused by name."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.variants import Given, Workshop
from modelmint.core.errors import InputError
from modelmint.core.inputs import MAX_TAKEN, fits
from modelmint.core.items import MAX_WANTED
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Model
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.evaluation.proof.adversarial import TOO_LONG
from modelmint.evaluation.proof.odd_histories import odd_histories
from modelmint.evaluation.rows import Rows
from modelmint.serving.engines import answers, open_engine
from tests.training.tasks.made import fit, rows_of
from tests.training.tasks.test_recommendation import walks

from .endpoint import served

Check = Callable[..., JSON]
KEPT: dict[str, JSON] = {}
"""The facts of what was trained once, by the name of its folder."""


@pytest.fixture(scope="session")
def trained_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recommenders")


@pytest.fixture
def recommender(context: StageContext, desk: StagingDesk, trained_folders: Path) -> Callable[..., Model]:
    """``recommender("two-tower", seed=)``: trained once on users who go round the items."""

    def run(model: str = "two-tower", *, seed: int = 1, **options: Any) -> Model:
        name = f"{model}-{seed}{'-'.join(options)}"
        folder = trained_folders / name
        if not folder.exists():
            sizes = {"model": model, "width": 32, "max_history": 8, "baselines": False, **options}
            spec: JSON = {"epochs": 4, "ema": 0.0, "learning_rate": 1e-2, "options": sizes}
            ctx = dataclasses.replace(context, num_threads=1, seed=seed)
            made = fit(ctx, desk, "recommendation", walks(0, 10), walks(10, 11), **spec).model
            shutil.copytree(made.files.folder(), folder)
            KEPT[name] = made.facts
        return desk.model("model", folder, facts=KEPT[name])

    return run


@pytest.fixture
def check(context: StageContext, desk: StagingDesk, recommender: Callable[..., Model], tmp_path: Path) -> Check:
    """``check(plant, form=, model=)``: the facts of parity of a candidate in which a fault was planted."""

    def run(
        plant: Callable[[Path, Path], None] | None = None, *, form: str = "onnx-fp32", model: str = "two-tower"
    ) -> JSON:
        trained, ctx = recommender(model), dataclasses.replace(context, num_threads=1)
        candidate = _variant(trained, form, ctx, desk)
        folder = shutil.copytree(candidate.files.folder(), tmp_path / "planted")
        if plant is not None:
            other = _variant(recommender(model, seed=2), form, ctx, desk)
            plant(folder, other.files.folder())
        variant = desk.model("planted", folder, facts=candidate.facts)
        ctx = dataclasses.replace(ctx, serve=lambda _variant: served(_answers(folder), []))
        test = rows_of(desk, "test", "recommendation", walks(11, 12))
        spec = ParitySpec(
            adversarial_rows=60, min_agreement=0.9, min_adversarial_agreement=0.85, max_accuracy_drop=0.05
        )
        facts: JSON = parity(spec, ParityInputs(model=trained, variant=variant, test=test), ctx).parity.facts
        return facts

    return run


@pytest.mark.parametrize("model", ["sequence", "two-tower"])
@pytest.mark.parametrize("form", ["onnx-fp32", "onnx-int8", "onnx-int8-static"])
def test_a_good_candidate_passes(check: Check, model: str, form: str) -> None:
    facts = check(form=form, model=model)
    assert (facts["refused"], facts["adversarial"]["num_refused_as_must"]) == ([], 1)
    assert any("tensors of weights" in one for one in facts["exact"]["compared"])


@pytest.mark.parametrize(
    ("name", "form", "says"),
    [
        ("items shifted", "onnx-fp32", r"the order of the items of items.json differs: 24 of 24"),
        ("an item renamed", "onnx-fp32", r"items of items.json differ: 'i03' missing; 'i3' new"),
        ("other counts", "onnx-fp32", r"the counts of items.json differ"),
        ("history cut", "onnx-fp32", r"max_history of recommender.json is 2, of the trained model 8"),
        ("stale weights", "onnx-fp32", r"weights of \d+ of \d+ tensors are not those of the trained model"),
        ("stale items", "onnx-fp32", r"1 of \d+ tensors are not those of the trained model: vectors_di is"),
        ("wrong scale", "onnx-int8", r"1 of \d+ tensors are not those of the trained model: vectors_di is"),
        ("other items are read", "onnx-fp32", r"max_drift: must be <= 0.001"),
    ],
)
def test_a_planted_fault_is_refused_by_a_reason_that_names_it(check: Check, name: str, form: str, says: str) -> None:
    refused = check(FAULTS[name], form=form)["refused"]
    assert any(re.search(says, reason) for reason in refused), refused


def test_a_model_without_histories_says_what_is_needed(
    context: StageContext, desk: StagingDesk, recommender: Callable[..., Model]
) -> None:
    trained = recommender(keep_histories=False)
    test = rows_of(desk, "test", "recommendation", walks(11, 12))
    with pytest.raises(InputError, match="must keep histories, by which users of the test rows"):
        parity(ParitySpec(), ParityInputs(model=trained, variant=trained, test=test), context)


@pytest.mark.parametrize(("role", "when"), [("validation", 10), ("test", 11)])
def test_a_row_is_asked_with_what_stood_before_it(
    desk: StagingDesk, recommender: Callable[..., Model], role: str, when: int
) -> None:
    rows = Rows.read(
        rows_of(desk, role, "recommendation", walks(when, when + 1)), "recommendation", role, model=recommender()
    )
    assert rows.columns["items"][3] == [f"i{(3 + time) % 24:02}" for time in range(when)]
    assert rows.truth[3] == f"i{(3 + when) % 24:02}"


def test_odd_histories_are_of_every_kind_and_one_is_too_long() -> None:
    catalogue = [f"i{at}" for at in range(2_000)]
    odd = odd_histories([catalogue[:40], [], ["i7"]], catalogue, num_rows=80, seed=3)
    kinds = {one.kind for one in odd}
    assert {"empty", "one item", "unknown items alone", "emoji in a name", "everything twice", TOO_LONG} <= kinds
    assert [one.kind for one in odd if not fits(one.given)] == [TOO_LONG]
    assert max(len(one.given["items"]) for one in odd[:-1] if isinstance(one.given, dict)) == MAX_TAKEN
    assert any(isinstance(one.given, dict) and one.given.get("num_items") == MAX_WANTED for one in odd)


def _variant(model: Model, form: str, ctx: StageContext, desk: StagingDesk) -> Model:
    train = rows_of(desk, "train", "recommendation", walks(0, 10))
    shutil.rmtree(ctx.scratch)
    ctx.scratch.mkdir()
    workshop = Workshop(model, ctx, Given(train=train))
    return workshop.lay_down(form, workshop.make(form))


def _answers(folder: Path) -> Callable[[list[Any]], tuple[int, Any]]:
    engine, lock = open_engine(folder, 1), Lock()

    def answer(inputs: list[Any]) -> tuple[int, Any]:
        with lock:
            found = answers(engine.predict(inputs), engine.labels, how=engine.how, all_scores=True, inputs=inputs)
        return 200, {"predictions": found}

    return answer


def _edit(name: str, change: Callable[[JSON], JSON]) -> Callable[[Path, Path], None]:
    def plant(folder: Path, _other: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return plant


def _graph(change: Callable[[Any, Any], None]) -> Callable[[Path, Path], None]:
    def plant(folder: Path, other: Path) -> None:
        import onnx

        model = onnx.load(folder / "model.onnx")
        change(model.graph, onnx.load(other / "model.onnx").graph)
        onnx.save(model, folder / "model.onnx")

    return plant


def _stale(folder: Path, other: Path) -> None:
    shutil.copyfile(other / "model.onnx", folder / "model.onnx")


def _stale(folder: Path, other: Path) -> None:
    shutil.copyfile(other / "model.onnx", folder / "model.onnx")


def _tensor(graph: Any, name: str) -> Any:
    return next(tensor for tensor in graph.initializer if tensor.name == name)


def _scaled(graph: Any, _other: Any) -> None:
    from onnx import numpy_helper

    scale = _tensor(graph, "vectors_di_scale")
    scale.CopyFrom(numpy_helper.from_array(np.asarray(numpy_helper.to_array(scale) * np.float32(1.3)), scale.name))


def _mixed_up(graph: Any, _other: Any) -> None:
    """The network is given other items than those that were taken."""
    from onnx import helper

    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == "item_ids" and node.op_type == "Gather":
                node.input[at] = "mixed"
    graph.node.insert(0, helper.make_node("Mod", ["item_ids", "three"], ["mixed"]))
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.array(3), "three"))


FAULTS: dict[str, Callable[[Path, Path], None]] = {
    "items shifted": _edit("items.json", lambda one: {**one, "items": [*one["items"][1:], one["items"][0]]}),
    "an item renamed": _edit(
        "items.json", lambda one: {**one, "items": ["i3" if name == "i03" else name for name in one["items"]]}
    ),
    "other counts": _edit("items.json", lambda one: {**one, "counts": [*one["counts"][1:], 1_000]}),
    "history cut": _edit("recommender.json", lambda one: {**one, "max_history": 2}),
    "stale weights": _stale,
    "stale items": _graph(lambda graph, other: _tensor(graph, "vectors_di").CopyFrom(_tensor(other, "vectors_di"))),
    "wrong scale": _graph(_scaled),
    "other items are read": _graph(_mixed_up),
}
