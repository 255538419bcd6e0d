"""Models of tags and of answers as ONNX: the numbers of the trained model, with and without types of tokens."""

from pathlib import Path

import numpy as np
import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.export import export_onnx
from modelmint.core.stage import StageContext
from modelmint.training.headed import Headed, read_headed
from modelmint.training.tasks.reader import KIND as SPANS
from modelmint.training.tasks.tagger import KIND as TAGS
from tests.tiny_base import write_base
from tests.tiny_spans import asked, learner_of, sentences


@pytest.mark.parametrize(
    ("task", "rows", "kind", "options", "num_inputs"),
    [
        ("token-classification", sentences(16), TAGS, {"capitals": True}, 3),
        ("token-classification", sentences(16), TAGS, {"capitals": False}, 2),
        ("question-answering", asked(16), SPANS, {}, 3),
    ],
)
def test_the_file_gives_the_numbers_of_the_model(
    task: str,
    rows: list[dict[str, object]],
    kind: str,
    options: dict[str, bool],
    num_inputs: int,
    context: StageContext,
    desk: StagingDesk,
    tmp_path: Path,
) -> None:
    import onnxruntime

    learn = learner_of(context, desk, task, base=str(write_base(tmp_path / "base")), epochs=1)
    folder = learn(rows, [], options=options).model.files.folder()
    export_onnx(folder, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    inputs = {
        "input_ids": torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        "token_type_ids": torch.tensor([[0, 1, 1, 0, 0], [0, 0, 1, 0, 0]]),
    }
    model: Headed = read_headed(folder, kind)  # type: ignore[arg-type]
    with torch.no_grad():
        ours = model(**{name: inputs[name] for name in names}).numpy()
    (theirs,) = session.run(["logits"], {name: inputs[name].numpy() for name in names})
    assert len(names) == num_inputs
    assert np.abs(theirs - ours).max() < 1e-4
