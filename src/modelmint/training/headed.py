"""An encoder with the layers that transformers puts on it for a task, and folders that transformers opens as its own.

The classes of transformers for tokens and for spans differ in what stands between the states and the last layer; what
they have is taken as it is, so that the folder gives the same numbers there as here. Imports PyTorch.

Shapes: b rows of a batch, t tokens of its longest row, d width of the encoder, l numbers a token.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from modelmint.core.capitals import CAPITALS, NUM_TYPES
from modelmint.core.errors import InputError
from modelmint.training.encoders import load_encoder, save_encoder
from modelmint.training.methods import tune as tuning
from modelmint.training.own_code import trusted
from modelmint.training.shards import read_tensors

Kind = Literal["AutoModelForTokenClassification", "AutoModelForQuestionAnswering"]
HEAD = "head."
HEAD_STD = 0.02


class Headed(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Encoder and head; its answer is the logits (b, t, l) of every token."""

    def __init__(self, encoder: Any, head: nn.Sequential) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        states_btd = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
        states_btd = states_btd[:, -input_ids.shape[1] :]  # a tuned prompt stands before the text
        logits_btl: Tensor = self.head(states_btd)
        return logits_btl

    @property
    def last(self) -> nn.Linear:
        """The last layer of the head."""
        return [layer for layer in self.head.modules() if isinstance(layer, nn.Linear)][-1]


def new_headed(encoder: Any, kind: Kind, *, dropout: float = 0.0) -> Headed:
    """A new head, drawn from torch's global generator, for as many labels as the encoder's config names.

    Raises:
        InputError: transformers has no such head for this encoder, or one that reads more than its states.
    """
    shell = _shell(encoder.config, kind)
    parts = OrderedDict((name, part) for name, part in shell.named_children() if name != shell.base_model_prefix)
    if shell.base_model_prefix not in dict(shell.named_children()) or not parts:
        raise _no_head(encoder.config, kind)
    head = nn.Sequential(parts).to_empty(device="cpu")
    for layer in head.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = dropout
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=HEAD_STD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return Headed(encoder, head)


def read_headed(folder: Path, kind: Kind) -> Headed:
    """The model of a saved folder in fp32, ready to answer."""
    model = new_headed(load_encoder(folder), kind)
    model.head.load_state_dict(head_weights(folder, model.head))
    model.train(False)
    return model


def save_headed(model: Headed, kind: Kind, source: Path, folder: Path) -> None:
    """Write a folder that `kind` of transformers opens; the tokenizer is that of `source`."""
    encoder = tuning.save(tuning.plain(model.encoder), folder)
    shell = _shell(encoder.config, kind)
    setattr(shell, shell.base_model_prefix, encoder)
    for name, part in model.head.named_children():
        setattr(shell, name, part)
    save_encoder(shell, source, folder)


def head_weights(folder: Path, head: nn.Sequential) -> dict[str, Tensor]:
    """Those weights of a folder that are named as the head's are; none where it is a base without a head."""
    names = head.state_dict()
    return read_tensors(folder, names)


def learn_capitals(encoder: Any) -> bool:
    """Give an encoder that knows types of tokens as many as `core.capitals` tells apart, all like its first.

    Returns:
        False where it knows no types.
    """
    place = next((name for name, _ in encoder.named_modules() if name.endswith("token_type_embeddings")), "")
    if not place or int(getattr(encoder.config, "type_vocab_size", 0) or 0) < 1:
        return False
    parent, _, name = place.rpartition(".")
    old = encoder.get_submodule(place)
    if len(old.weight) != NUM_TYPES:
        new = nn.Embedding.from_pretrained(old.weight.detach()[:1].repeat(NUM_TYPES, 1), freeze=False)
        setattr(encoder.get_submodule(parent), name, new)
        encoder.config.type_vocab_size = NUM_TYPES
    setattr(encoder.config, CAPITALS, True)
    return True


def inherit_labels(
    model: Headed, weights: Mapping[str, Tensor], known: Mapping[int, str], labels: Sequence[str]
) -> None:
    """Give the new head what an earlier one has learnt of labels of the same name; other layers of it as a whole."""
    last = next((name for name, layer in model.head.named_modules() if layer is model.last), "")
    place = {label: at for at, label in known.items()}
    state = model.head.state_dict()
    with torch.no_grad():
        for name, tensor in weights.items():
            if name.rpartition(".")[0] != last:
                if state[name].shape == tensor.shape:
                    state[name].copy_(tensor)
                continue
            for at, label in enumerate(labels):
                if place.get(label, len(tensor)) < len(tensor):
                    state[name][at].copy_(tensor[place[label]])


def _shell(config: Any, kind: Kind) -> Any:
    import transformers

    came_from = getattr(config, "name_or_path", "")
    try:
        with torch.device("meta"):  # its weights are never used: no memory and no random numbers for them
            return getattr(transformers, kind).from_config(
                config, trust_remote_code=bool(came_from) and trusted(Path(came_from))
            )
    except ValueError as error:
        raise _no_head(config, kind) from error


def _no_head(config: Any, kind: Kind) -> InputError:
    return InputError(
        f"base: must be an encoder that transformers can put the head of {kind} on; got {config.model_type}",
        parameter="base",
        remedy="`base: starter` is one; so are BERT, RoBERTa, DistilBERT, ELECTRA, DeBERTa and ModernBERT.",
    )


__all__ = [
    "HEAD",
    "Headed",
    "Kind",
    "head_weights",
    "inherit_labels",
    "learn_capitals",
    "new_headed",
    "read_headed",
    "save_headed",
]
