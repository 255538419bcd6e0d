"""Models of tables behind the engine: LightGBM's own file and NumPy's coefficients."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.core.coefficients import Coefficients, Inputs
from modelmint.core.columns import Columns
from modelmint.core.errors import InputError, IntegrityError
from modelmint.serving.engines import answers, open_engine

CELLS: dict[str, list[Any]] = {"fee": [float(at) for at in range(100)], "contract": ["monthly", "yearly"] * 50}
NUMBER = {"by": "identity", "mean": 10.0, "scale": 4.0}


def write_table(folder: Path, *, engine: str = "lightgbm", labels: tuple[str, ...] = ("stays", "leaves")) -> Path:
    """A variant's folder: who pays more than 50 leaves; without labels the fee itself is the answer."""
    folder.mkdir()
    columns = Columns.fit(CELLS)
    numbers = columns.encode(CELLS)
    if engine == "lightgbm":
        import lightgbm

        settings = {"objective": "binary" if labels else "regression", "verbosity": -1, "min_data_in_leaf": 5}
        truth = numbers[:, 0] > 50 if labels else numbers[:, 0]
        booster = lightgbm.train(settings, lightgbm.Dataset(numbers, truth.astype(float)), 30)
        (folder / "model.txt").write_text(booster.model_to_string())
    else:
        weights = np.zeros((4, 2 if labels else 1))
        weights[0, -1] = 8.0
        inputs = Inputs.fit(columns, numbers)
        Coefficients(inputs=inputs, weights_jl=weights, bias_l=np.zeros(weights.shape[1]), spreads_j=np.ones(4)).save(
            folder
        )
    task = "tabular-classification" if labels else "tabular-regression"
    about = {"task": task, "engine": engine, "columns": columns.to_json(), "left_out_columns": {}, "variant": engine}
    about |= {"labels": list(labels)} if labels else {"answers": NUMBER}
    (folder / "modelmint.json").write_text(json.dumps(about))
    return folder


def asked(folder: Path, *fees: Any) -> list[Any]:
    engine = open_engine(folder, 1)
    rows: list[Any] = [{"row": {"fee": fee, "contract": "monthly"}} for fee in fees]
    engine.check(rows)
    return answers(engine.predict(rows), engine.labels, how=engine.how, inputs=rows)


@pytest.mark.parametrize("engine", ["lightgbm", "numpy"])
def test_a_row_gets_its_label(tmp_path: Path, engine: str) -> None:
    found = asked(write_table(tmp_path / "a", engine=engine), 5, "90", None)
    assert [one["label"] for one in found][:2] == ["stays", "leaves"]


def test_a_number_comes_in_the_unit_of_training(tmp_path: Path) -> None:
    (found,) = asked(write_table(tmp_path / "a", labels=()), 70)
    assert found["value"] == pytest.approx(70, abs=8)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    folder = write_table(tmp_path / "a")
    (folder / "model.txt").write_text("tree\nnonsense")
    with pytest.raises(IntegrityError, match=r"model\.txt is not a model of LightGBM"):
        open_engine(folder, 1)


def test_a_folder_without_its_file_is_refused(tmp_path: Path) -> None:
    folder = write_table(tmp_path / "a")
    (folder / "model.txt").unlink()
    with pytest.raises(InputError, match=r"variant: needs model\.txt, modelmint\.json; model\.txt is missing"):
        open_engine(folder, 1)


def test_a_table_is_served_without_torch_and_without_what_training_needs(tmp_path: Path) -> None:
    folder = write_table(tmp_path / "a")
    code = (
        "import sys; from pathlib import Path; from modelmint.serving.engines import open_engine; "
        f"open_engine(Path({str(folder)!r}), 1); "
        "print([name for name in sys.modules if name in ('torch', 'transformers', 'modelmint.training')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
