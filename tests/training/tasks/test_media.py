"""Images and recordings: networks from nothing, bases of images, and what is served."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.export import export_onnx
from modelmint.core.errors import CancelledRunError, DataError, InputError
from modelmint.core.media import Picture, Sound, scaled_levels, scaled_pixels
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.training.tasks import open_model, read_about
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.training.tasks.made import digests
from tests.training.tasks.media import Rows, pictures, recordings

SMALL = {"architecture": {"name": "cnn", "width": 8, "num_stages": 2}}
FAST = {"min_steps": 0, "epochs": 8, "batch_size": 16, "learning_rate": 1e-2, "precision": "fp32", "ema": 0.5}
SOUND = {"options": {"mels": 16}}
KINDS: dict[str, tuple[Callable[..., Rows], dict[str, Any]]] = {
    "image": (pictures, SMALL | FAST),
    "audio": (recordings, SMALL | FAST | SOUND),
}
Learn = Callable[..., TrainOutputs]


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk) -> Learn:
    def run(
        rows: Rows, validation: Rows, *, start: Model | None = None, changes: Any = None, **spec: Any
    ) -> TrainOutputs:
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        kind = next(name for name in rows[0] if name != "label")
        sets = [
            desk.dataset(
                name,
                pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(given)]),
                facts={"task": f"{kind}-classification"},
            )
            for name, given in (("train", rows), ("validation", validation))
        ]
        given = dataclasses.replace(context, num_threads=1, **(changes or {}))
        return train(TrainSpec(**spec), TrainInputs(train=sets[0], validation=sets[1], start=start), given)

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_network_learns_to_tell_two_kinds_apart(learn: Learn, kind: str) -> None:
    make, spec = KINDS[kind]
    outputs = learn(make(96), make(50, seed=1), **spec)
    test = make(60, seed=2)
    answers = open_model(outputs.model.files.folder()).predict({kind: [row[kind] for row in test]})
    assert sum(one["label"] == row["label"] for one, row in zip(answers, test, strict=True)) >= 54


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_ends_with_equal_files(learn: Learn, context: StageContext, kind: str) -> None:
    make, spec = KINDS[kind]
    spec = {**spec, "epochs": 2}
    whole = learn(make(48), make(50, seed=1), **spec)
    shutil.rmtree(context.checkpoints)
    context.checkpoints.mkdir()
    left = iter(range(4))

    def say(_done: int, _total: int, _message: str) -> None:
        if next(left, None) is None:
            raise CancelledRunError("stopped")

    with pytest.raises(CancelledRunError):
        learn(make(48), make(50, seed=1), changes={"say": say}, **spec)
    again = learn(make(48), make(50, seed=1), **spec)
    assert digests(again.model.files.folder()) == digests(whole.model.files.folder())


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_and_numpy_give_the_logits_of_the_reference(learn: Learn, tmp_path: Path, kind: str) -> None:
    import onnxruntime

    make, spec = KINDS[kind]
    folder = learn(make(32), make(4, seed=1), **{**spec, "epochs": 1}).model.files.folder()
    predictor: Any = open_model(folder)
    contents = [row[kind] for row in make(5, seed=3)]
    about = read_about(folder)
    if kind == "image":
        arrays = np.stack([Picture.from_json(about["picture"]).read(content) for content in contents])
        given = scaled_pixels(arrays, about["mean"], about["std"])
    else:
        arrays = np.stack([Sound.from_json(about["sound"]).read(content) for content in contents])
        given = scaled_levels(arrays, about["mean"], about["std"])
    export_onnx(folder, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (logits,) = session.run(None, {"pixels": given})
    assert np.abs(logits - predictor.logits(contents)).max() < 1e-4


def test_images_are_changed_anew_in_each_epoch_and_the_same_in_each_run(learn: Learn, context: StageContext) -> None:
    found = []
    for _ in range(2):
        found.append(learn(pictures(48), pictures(4, seed=1), **SMALL, **{**FAST, "epochs": 3}).training.facts["curve"])
        shutil.rmtree(context.checkpoints)
        context.checkpoints.mkdir()
    plain = learn(pictures(48), pictures(4, seed=1), **SMALL, **{**FAST, "epochs": 3}, options={"augment": None})
    assert found[0] == found[1]
    assert found[0] != plain.training.facts["curve"]


def test_what_is_not_said_is_found_in_the_images(learn: Learn) -> None:
    rows = pictures(16, side=20, colour=True)
    facts = learn(rows, pictures(4, colour=True), **SMALL, **{**FAST, "epochs": 1}).model.facts
    assert facts["picture"] == {"height": 20, "width": 20, "channels": 3}


def test_what_is_not_said_is_found_in_the_recordings(learn: Learn) -> None:
    facts = learn(recordings(16), recordings(4), **SMALL, **{**FAST, "epochs": 1}).model.facts
    assert (facts["sound"]["rate"], facts["sound"]["seconds"]) == (4_000, 0.3)


def test_an_earlier_model_is_gone_on_from(learn: Learn, context: StageContext) -> None:
    first = learn(pictures(64), pictures(50, seed=1), **SMALL, **FAST)
    second = learn(
        pictures(64), pictures(50, seed=1), start=first.model, **{**FAST, "epochs": 1, "learning_rate": 1e-5}
    )
    assert second.training.facts["history"][0]["validation_accuracy"] >= 0.9


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_a_base_of_images_is_trained_and_read_back_by_transformers(learn: Learn, tmp_path: Path, family: str) -> None:
    from transformers import AutoModelForImageClassification

    base = _vision_base(tmp_path / "base", family)
    outputs = learn(
        pictures(48), pictures(50, seed=1), base=str(base), epochs=2, min_steps=0, batch_size=16, precision="fp32"
    )
    folder = outputs.model.files.folder()
    found = AutoModelForImageClassification.from_pretrained(folder)
    assert found.config.id2label == {0: "lying", 1: "standing"}
    assert set(open_model(folder).predict({"image": [pictures(1)[0]["image"]]})[0]) == {"label", "score"}


def test_a_base_of_texts_is_refused_for_images(learn: Learn, base: Path) -> None:
    with pytest.raises(InputError, match="must be a model of images"):
        learn(pictures(8), pictures(4), base=str(base))


def test_bytes_that_are_no_image_are_refused_with_their_row(learn: Learn) -> None:
    with pytest.raises(DataError, match=r"row r8.*does not decode"):
        learn([*pictures(8), {"image": b"no image", "label": "lying"}], pictures(4), **SMALL, **FAST)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", b""))
    chunks = [
        struct.pack(">I", len(each)) + kind + each + struct.pack(">I", zlib.crc32(kind + each)) for kind, each in parts
    ]
    with pytest.raises(DataError, match="pixels"):
        Picture(height=8, width=8, channels=1).read(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def test_one_label_is_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="at least two different labels"):
        learn([{**row, "label": "same"} for row in pictures(8)], pictures(4), **SMALL, **FAST)


@pytest.mark.parametrize(
    ("spec", "parameter"),
    [
        ({"max_tokens": 64}, "max_tokens"),
        ({"architecture": "lstm"}, "architecture"),
        ({"tokenizer": "bpe"}, "tokenizer"),
        ({"method": "lora"}, "method"),
        ({"options": {"size": 4}}, "options.size"),
    ],
)
def test_what_means_nothing_to_images_is_refused(learn: Learn, spec: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InputError) as caught:
        learn(pictures(8), pictures(4), **spec)
    assert caught.value.parameter == parameter


def test_a_spectrogram_is_the_same_however_loud_the_recording_is() -> None:
    sound = Sound(rate=4_000, seconds=0.25, num_mels=16)
    samples = np.sin(np.arange(1_000) / 3).astype(np.float32)
    assert np.abs(sound.spectrogram(samples) - sound.spectrogram(samples / 50)).max() < 1e-3


def _vision_base(folder: Path, family: str) -> Path:
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification, ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    if family == "vit":
        config = ViTConfig(
            image_size=16, patch_size=4, num_channels=3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, num_labels=3,
        )  # fmt: skip
        ViTForImageClassification(config).save_pretrained(folder)
    else:
        config = ResNetConfig(
            num_channels=3, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3
        )
        ResNetForImageClassification(config).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 32}}')
    return folder
