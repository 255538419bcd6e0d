"""Weights of every form of an exported file, compared with those that were trained."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelmint.compression import quantize
from modelmint.evaluation.proof.weights import compare_weights

Feeds = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]


@pytest.fixture(scope="session")
def forms(exported_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def make(form: str) -> Path:
        folder = tmp_path_factory.mktemp(form)
        source, output = exported_folder / "model.onnx", folder / "model.onnx"
        if form == "fp16":
            quantize.halve(source, output)
        elif form == "int8-static":
            feeds = {"input_ids": np.ones((1, 6), np.int64), "attention_mask": np.ones((1, 6), np.int64)}
            quantize.quantize_static(source, output, [feeds])
        else:
            quantize.quantize_int8(source, output, spare_narrowing=form == "int8-mixed")
        return folder

    return make


@pytest.mark.parametrize("form", ["fp16", "int8", "int8-mixed", "int8-static"])
def test_what_a_form_rounds_is_no_difference(forms: Callable[[str], Path], trained_folder: Path, form: str) -> None:
    found = compare_weights(trained_folder, forms(form))
    assert found is not None
    assert (found.differences, found.num_compared >= 36) == ([], True)


def test_another_training_is_a_difference_in_every_form(forms: Callable[[str], Path], untrained_folder: Path) -> None:
    found = [compare_weights(untrained_folder, forms(form)) for form in ("fp16", "int8", "int8-static")]
    assert all(one is not None and one.num_differing > 10 for one in found)


def test_every_weight_of_an_exported_model_is_found(exported_folder: Path, trained_folder: Path) -> None:
    from safetensors import safe_open

    found = compare_weights(trained_folder, exported_folder)
    with safe_open(trained_folder / "model.safetensors", "np") as file:
        num_stored = len(list(file.keys()))
    assert found is not None
    assert found.num_compared == num_stored + 2


def test_a_folder_without_an_onnx_file_is_not_compared(trained_folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(trained_folder / "config.json", tmp_path / "config.json")
    assert compare_weights(trained_folder, tmp_path) is None
