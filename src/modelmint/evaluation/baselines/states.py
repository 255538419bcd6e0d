"""The untuned base: the mean state of each text, with a linear model. What training adds is what the model has above it.

Imports PyTorch. Shapes: n texts, d numbers of a state.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import InputError, IntegrityError, UnavailableError
from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap, believed, learned_rows
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.baselines.texts import logistic
from modelmint.evaluation.predict import Predictions
from modelmint.training.bases import Base, resolve
from modelmint.training.batches import logits_of, open_tokenizer
from modelmint.training.encoders import MeanEncoder, load_encoder
from modelmint.training.tasks import read_about

MAX_ROWS = 15_000
MAX_TOKENS = 256
STRENGTH = 2.0
MAX_STEPS = 100

Encode = Callable[[Sequence[str]], npt.NDArray[np.float32]]


def of_states(_kind: str, asked: Asked) -> Cheap:
    """One label a row, or a number for `text-regression`, from ``text`` and perhaps ``text_pair``.

    Raises:
        InputError: the model has no base, or this machine has it not.
    """
    sides = [name for name in ("text", "text_pair") if name in asked.truth]
    found = learned_rows(asked, [*sides, "label"], max_rows=MAX_ROWS)
    encode = _encoder(asked)
    raw = [encode(found[side]) for side in sides]
    middles = [states_nd.mean(axis=0) for states_nd in raw]
    features = _together([_unit(states - middle) for states, middle in zip(raw, middles, strict=True)])
    is_number = asked.task == "text-regression"
    model = _ridge(features, found["label"]) if is_number else _classes(features, found["label"], asked.seed)

    def answer() -> list[JSON] | Predictions:
        given = [encode([text or "" for text in asked.truth[side]]) for side in sides]
        rows = _together([_unit(states - middle) for states, middle in zip(given, middles, strict=True)])
        if is_number:
            return [{"value": float(one)} for one in model.predict(rows)]
        return believed([str(name) for name in model.classes_], model.predict_proba(rows))

    name = "untuned base+ridge regression" if is_number else NAMES["embeddings"]
    return Cheap(name=name, num_rows=len(found["label"]), answer=answer)


def _encoder(asked: Asked) -> Encode:
    import torch

    torch.set_num_threads(asked.ctx.num_threads)
    base, ctx = _base(asked), asked.ctx
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = MeanEncoder(load_encoder(base.folder)).to(device)
    tokenize = open_tokenizer(base.folder, min(MAX_TOKENS, base.max_tokens))
    pad_id = int(model.encoder.config.pad_token_id or 0)

    def say(done: int, total: int, _message: str) -> None:
        ctx.check()
        ctx.say(done, total, "the baseline reads texts with the untuned base")

    return lambda texts: np.asarray(logits_of(model, tokenize(texts), pad_id, say=say).numpy())


def _base(asked: Asked) -> Base:
    name = str(read_about(asked.model.files.folder())["base"])
    try:
        if name == "none":
            raise InputError("it began from nothing")
        return resolve(name)
    except (InputError, IntegrityError, UnavailableError) as error:
        raise InputError(
            f"baseline: embeddings needs the base that the model was made from, {name}; {error.message}",
            parameter="baseline",
            remedy="Set evaluate.baseline to tfidf, or leave it out.",
        ) from error


def _together(sides: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    if len(sides) == 1:
        return sides[0]
    first, second = sides
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def _classes(features: Any, labels: Sequence[Any], seed: int) -> Any:
    truth = np.asarray([str(label) for label in labels], dtype=object)
    if len(set(truth)) > 1:
        return logistic(features, truth, seed=seed, strength=STRENGTH, max_steps=MAX_STEPS)
    from sklearn.dummy import DummyClassifier

    return DummyClassifier().fit(features, truth)


def _ridge(features: Any, numbers: Sequence[Any]) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1 / STRENGTH).fit(features, np.asarray(numbers, dtype=np.float64))


def _unit(states_nd: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(states_nd / np.maximum(np.linalg.norm(states_nd, axis=1, keepdims=True), 1e-12))
