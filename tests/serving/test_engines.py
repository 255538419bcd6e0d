from pathlib import Path

import numpy as np
import pytest

from modelmint.core.errors import InputError, IntegrityError
from modelmint.serving.engines import answers, open_engine
from tests.tiny_variant import LABELS, write_variant


def test_a_text_gets_the_logits_of_its_words(tmp_path: Path) -> None:
    logits = open_engine(write_variant(tmp_path), 1).predict(["money back", "where is my parcel"])
    assert logits.tolist() == [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]


def test_a_graph_with_token_types_is_fed_zeros(tmp_path: Path) -> None:
    assert open_engine(write_variant(tmp_path, token_types=True), 1).predict(["money"]).tolist() == [[2.0, 0.0, 0.0]]


def test_padding_by_a_longer_neighbour_changes_nothing(tmp_path: Path) -> None:
    engine = open_engine(write_variant(tmp_path), 1)
    assert np.array_equal(engine.predict(["hello"])[0], engine.predict(["hello", "parcel " * 20])[0])


def test_a_long_text_is_cut_to_what_the_model_was_trained_to_read(tmp_path: Path) -> None:
    engine = open_engine(write_variant(tmp_path, max_tokens=3), 1)
    assert [len(ids) for ids in engine.encode(["parcel " * 50])] == [3]


def test_a_folder_without_the_export_is_refused_by_name(tmp_path: Path) -> None:
    (write_variant(tmp_path) / "model.onnx").unlink()
    with pytest.raises(InputError, match=r"model\.onnx is missing"):
        open_engine(tmp_path, 1)


def test_labels_that_do_not_fit_the_graph_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"2 labels need logits of shape \(1, 2\); got \(1, 3\)"):
        open_engine(write_variant(tmp_path, labels=["yes", "no"]), 1)


def test_an_answer_is_the_softmax_and_has_every_score_only_when_asked() -> None:
    logits = np.array([[0.0, np.log(2), 0.0]], np.float32)
    assert answers(logits, LABELS) == [{"label": "delivery", "score": 0.5}]
    assert answers(logits, LABELS, all_scores=True)[0]["scores"] == {"refund": 0.25, "delivery": 0.5, "other": 0.25}
