"""A base that brings code: refused, unless this machine's operator allowed just these files by name and digest."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelmint.core.errors import InputError
from modelmint.training.bases import resolve
from modelmint.training.own_code import code_digest, trusted
from modelmint.training.tasks.text_classification import load_classifier
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

SETTING = "MODELMINT_ALLOW_CODE"
CODE = """from transformers import BertConfig, BertModel


class OwnConfig(BertConfig):
    model_type = "own-family"


class OwnModel(BertModel):
    config_class = OwnConfig

    def forward(self, *given, **named):
        answer = super().forward(*given, **named)
        answer.last_hidden_state = -answer.last_hidden_state
        return answer
"""


@pytest.fixture
def own(base: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(base, tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    places = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own-family", "auto_map": places}))
    (folder / "modeling_own.py").write_text(CODE)
    (folder / "never_imported.py").write_text("")
    return folder


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.delenv(SETTING, raising=False)


def test_its_refusal_says_what_would_allow_it(own: Path) -> None:
    with pytest.raises(InputError, match=r"needs code of its own \(modeling_own\.py\), which is not allowed") as raised:
        resolve(str(own))
    assert f"{SETTING}=own@{code_digest(own)}" in str(raised.value.remedy)


def test_where_it_was_allowed_it_is_trained_and_what_was_trained_opens(
    own: Path, learn: Callable[..., TrainOutputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, f"another@{'0' * 64}, own@{code_digest(own)}")
    made = learn(questions(240), base=str(own), epochs=4)
    rows = questions(60, seed=7)
    classifier = load_classifier(made.model.files.folder())
    answers = [classifier.labels[at] for at in classifier.logits([row["text"] for row in rows]).argmax(axis=1)]
    assert np.mean([one == row["label"] for one, row in zip(answers, rows, strict=True)]) > 0.9
    warm = learn(questions(16, seed=3), start=made.model, epochs=1)
    assert warm.model.facts["base"] == "own"
    monkeypatch.delenv(SETTING)
    with pytest.raises(InputError, match="without code of its own"):
        load_classifier(made.model.files.folder())


def test_the_name_of_another_base_or_one_byte_of_other_code_is_not_allowed(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, f"other@{code_digest(own)}")
    with pytest.raises(InputError, match="which is not allowed"):
        resolve(str(own))
    monkeypatch.setenv(SETTING, f"own@{code_digest(own)}")
    assert resolve(str(own)).name == "own"
    (own / "more.py").write_text("")
    assert not trusted(own)
    with pytest.raises(InputError, match="which is not allowed"):
        resolve(str(own))


def test_code_that_lies_elsewhere_is_not_fetched(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads((own / "config.json").read_text())
    config["auto_map"]["AutoModel"] = "someone/else--modeling_own.OwnModel"
    (own / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv(SETTING, f"own@{code_digest(own)}")
    with pytest.raises(InputError, match="must hold all of its code in its own folder"):
        resolve(str(own))
    assert not trusted(own)
