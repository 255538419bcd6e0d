"""What the tasks share whose model is an encoder of text with a layer on top. Imports PyTorch."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from modelmint.core.errors import InputError
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import TokenIds, open_tokenizer, pad_batch
from modelmint.training.encoders import load_encoder
from modelmint.training.learner import Batch, Learner, Setting
from modelmint.training.methods.tune import tune
from modelmint.training.scratch.new_base import contents_of, folder_of, new_base
from modelmint.training.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRows:
    """Rows as token ids; what stands beside each (a label, tags, a weight) is the task's own."""

    token_ids: TokenIds
    targets: Sequence[Any]
    weights: Sequence[float] | None = None

    def with_ids(self, token_ids: TokenIds) -> Self:
        return replace(self, token_ids=token_ids)


class EncoderLearner(Learner[TokenRows]):
    """Reads texts by the base's tokenizer, trains only the rows of the embedding that they use, saves the encoder.

    A task adds `read_rows` (called once for training and once for validation), `new_model` around `encoder`, and what
    `Learner` asks for beyond that.
    """

    vocabulary: Vocabulary

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        if setting.beginning.folder is not None:
            self.open(_checked(setting, setting.beginning.folder))

    def open(self, folder: Path) -> None:
        """Make ready to read texts with the tokenizer of `folder`, which is what the model is made from."""
        self.folder = folder
        self.tokenize = open_tokenizer(folder, self.knobs.max_tokens)

    def read(self, train: Dataset, validation: Dataset) -> None:
        if self.setting.beginning.folder is None:
            self.open(new_base(self.setting, contents_of(train), folder_of(self)))
        self.train = self.read_rows(train, "train")
        self.validation = self.read_rows(validation, "validation")

    @abstractmethod
    def read_rows(self, dataset: Dataset, role: str) -> TokenRows:
        """Encode the rows of a dataset. The training rows come first.

        Raises:
            DataError: they cannot be trained on.
        """

    @abstractmethod
    def new_model(self) -> nn.Module:
        """The model around an encoder, which must be its attribute `encoder`."""

    def encoder(self) -> Any:
        """The encoder that it starts from."""
        return load_encoder(self.folder, dropout=self.knobs.encoder_dropout, on_cpu=not torch.cuda.is_available())

    def build(self) -> nn.Module:
        model = self.new_model()
        if self.knobs.gradient_checkpointing:
            model.encoder.gradient_checkpointing_enable()
        self.prepare(model)
        return model

    def prepare(self, model: nn.Module) -> None:
        """Narrow the embedding of `model.encoder` to the tokens in use, and put the tuning method to it."""
        every_row = [*self.train.token_ids, *self.validation.token_ids]
        self.vocabulary = Vocabulary.narrow(model.encoder, every_row)
        self.train = self.train.with_ids(self.vocabulary.encode(self.train.token_ids))
        self.validation = self.validation.with_ids(self.vocabulary.encode(self.validation.token_ids))
        method, num_steps = self.setting.spec.method, self.num_steps
        tune(model, method, freeze_embeddings=self.knobs.freeze_embeddings, num_steps=num_steps)

    def lengths(self, examples: TokenRows) -> Sequence[int]:
        return [len(row) for row in examples.token_ids]

    def inputs(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        """What the encoder reads, as `Batch["inputs"]`."""
        return {"inputs": pad_batch([examples.token_ids[row] for row in rows], self.vocabulary.pad_id, device)}

    def facts(self) -> JSON:
        return {"max_tokens": self.knobs.max_tokens}


def _checked(setting: Setting, folder: Path) -> Path:
    beginning, knobs = setting.beginning, setting.knobs
    if knobs.max_tokens > beginning.max_tokens:
        raise InputError(
            f"max_tokens: must be at most {beginning.max_tokens}, which is what {beginning.base} reads; got "
            f"{knobs.max_tokens}",
            parameter="max_tokens",
            remedy=f"Set train.max_tokens to {beginning.max_tokens}.",
        )
    return folder
