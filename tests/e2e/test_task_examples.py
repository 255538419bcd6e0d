"""Each recipe of examples/tasks runs on real rows, a few steps of it, to a model that opens and figures of its task."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from modelmint.core.types import Model
from modelmint.training.tasks import open_model
from modelmint.workspace import Workspace

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "tasks"
FEW = ("train.max_steps=3", "train.epochs=1", "train.min_steps=0")
LOOSE = ("compress.timed_rows=8", "compress.try=[onnx-fp32]", "parity.adversarial_rows=40")
TASKS: dict[str, tuple[str, str, Sequence[str]]] = {
    "names": ("conll2003", "f1", (*FEW, "collect.max_rows=400")),
    "answers": ("squad_v11_dev/dev.jsonl.gz", "f1", (*FEW, "collect.max_rows=1200")),
    "churn": ("telco_churn/all.csv.gz", "auc", ()),
    "films": ("movielens_100k/ratings.csv.gz", "ndcg_at_10", (*FEW, "train.options={model: two-tower, baselines: false}")),
    "digits": ("fashion_mnist_small", "accuracy", (*FEW, "collect.max_rows=400")),
    "translate": ("multi30k_de_en", "bleu", (*FEW, "collect.max_rows=200", "train.options={num_beams: 1, max_target_tokens: 8}")),
    "writer": ("tinyshakespeare/input.txt.gz", "perplexity", ("train.max_steps=3", "collect.max_rows=300")),
    "search": ("sms_spam/all.csv.gz", "accuracy", (*FEW, "collect.max_rows=400", "search.trials=3")),
    "similar": ("banking77", "recall_at_10", (*FEW, *LOOSE, "collect.max_rows=400")),
    "passages": ("squad_v11_dev/dev.jsonl.gz", "ndcg_at_10", (*FEW, *LOOSE, "collect.max_rows=1200", "train.max_tokens=48", "compress.max_rows=200", "parity.num_rows=200", "parity.adversarial_rows=20")),
    "sums": ("gsm8k", "answer_loss", (*FEW, "collect.max_rows=60", "train.architecture={name: transformer, width: 32, num_layers: 1, num_heads: 2}")),
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_every_recipe_is_tried() -> None:
    assert set(TASKS) == {path.stem for path in FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("name", TASKS)
def test_the_recipe_ends_in_a_model_and_its_figure(shared: Path, tmp_path: Path, name: str) -> None:
    source, figure, settings = TASKS[name]
    with Workspace(tmp_path / "home") as workspace:
        given = [f"data={shared / source}", "evaluate.gates={}", *settings]
        summary = workspace.run(FOLDER / f"{name}.yaml", settings=given)
        assert summary["status"] == "succeeded", summary["error"]
        roles = {role: ids[0] for stage in summary["stages"] for role, ids in stage["roles"].items()}
        model = workspace.catalog.get(roles["model"])
        assert isinstance(model, Model)
        assert open_model(model.files.folder())
        assert next(iter(summary["metrics"])) == figure  # the main one stands first
