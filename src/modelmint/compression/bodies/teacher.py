"""The trained model as a teacher: what it says of texts, and the mean states of its layers, each row once.

Imports PyTorch.

Shapes: n rows, b rows of a batch, t tokens of its longest row, d width of the encoder, c layers, l outputs (labels).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.batches import TokenIds, open_pair_tokenizer, open_tokenizer, pad_batch, pad_types
from modelmint.training.tasks.pooled_model import HEAD_FILE, has_token_types, read_classifier
from modelmint.training.tasks.table import read_about

Columns = Sequence[Sequence[str]]
"""The texts of rows, or the first texts and the second ones."""
BATCH_ROWS = 64
MAX_STATE_BYTES = 1 << 30
"""Of the states of the layers within; where they would take more, only those of the last are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """What the teacher says of rows: logits (n, l), and mean states (n, c, d) in 16 bits of the layers asked for."""

    logits_nl: Tensor
    states_ncd: Tensor

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file({"logits": self.logits_nl, "states": self.states_ncd}, partial)
        partial.rename(path)

    @classmethod
    def read(cls, path: Path) -> "Taught":
        """What `save` wrote."""
        found = load_file(path)
        return cls(logits_nl=found["logits"].clone(), states_ncd=found["states"].clone())


class Teacher:
    """A trained model with one layer over the mean state, opened. One thread at a time may call it.

    Raises:
        InputError: the folder is that of another kind of model.
    """

    def __init__(self, folder: Path) -> None:
        self.about: JSON = read_about(folder)
        if not (folder / HEAD_FILE).is_file():
            raise InputError(
                f"try: a smaller body can be made of a model with one layer over the mean state of a text; got one "
                f"for {self.about['task']}",
                parameter="try",
                remedy="Of this model only `vocabulary` can be made.",
            )
        self.model, _ = read_classifier(folder)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.by = str(self.about.get("answers", {}).get("by", "softmax"))
        max_tokens, self._typed = int(self.about["max_tokens"]), has_token_types(self.model.encoder.config)
        self._tokenize = open_tokenizer(folder, max_tokens)
        self._tokenize_pairs = open_pair_tokenizer(folder, max_tokens, typed=self._typed)
        self._pad_id = int(self.model.encoder.config.pad_token_id or 0)

    def batches(self, columns: Columns) -> list[tuple[list[int], dict[str, Tensor]]]:
        """Rows of like length together: their numbers, and what the model reads of them."""
        ids, types = self._encoded(columns)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        device = next(self.model.parameters()).device
        found = []
        for at in range(0, len(order), BATCH_ROWS):
            rows = order[at : at + BATCH_ROWS]
            inputs = pad_batch([ids[row] for row in rows], self._pad_id, device)
            if types is not None:
                inputs["token_type_ids"] = pad_types([types[row] for row in rows], device)
            found.append((rows, inputs))
        return found

    def answer(
        self,
        columns: Columns,
        layers: Sequence[int],
        *,
        say: Callable[[int, int, str], None],
        check: Callable[[], None],
    ) -> Taught:
        """Run the model over every row; `layers` counts from 0, the last being `num_hidden_layers` - 1."""
        num_rows, width = len(columns[0]), int(self.model.encoder.config.hidden_size)
        if num_rows * len(layers) * width * 2 > MAX_STATE_BYTES:
            layers = layers[-1:]
        logits_nl = torch.zeros(num_rows, self.model.classifier.out_features)
        states_ncd = torch.zeros(num_rows, len(layers), width, dtype=torch.float16)
        num_done = 0
        with torch.no_grad():
            for rows, inputs in self.batches(columns):
                check()
                states_bcd = mean_states(self.model.encoder, inputs, layers)
                logits_nl[rows] = self.model.classifier(states_bcd[:, -1]).float().cpu()
                states_ncd[rows] = states_bcd.half().cpu()
                num_done += len(rows)
                say(num_done, num_rows, "asking the trained model")
        return Taught(logits_nl=logits_nl, states_ncd=states_ncd)

    def _encoded(self, columns: Columns) -> tuple[TokenIds, TokenIds | None]:
        if len(columns) == 1:
            return self._tokenize(columns[0]), None
        return self._tokenize_pairs(*columns)


def mean_states(encoder: nn.Module, inputs: dict[str, Tensor], layers: Sequence[int]) -> Tensor:
    """(b, c, d) the mean of each layer's states over the tokens that the mask keeps; the last of `layers` is the last.

    An encoder that does not tell its states within has the last alone.
    """
    said: Any = encoder(**inputs, output_hidden_states=len(layers) > 1)
    within = getattr(said, "hidden_states", None) if len(layers) > 1 else None
    states = [within[layer + 1] for layer in layers[:-1]] if within is not None else []
    mask_bt1 = inputs["attention_mask"].unsqueeze(-1)
    means = [
        (state_btd * mask_bt1.to(state_btd.dtype)).sum(dim=1) / mask_bt1.sum(dim=1).clamp(min=1)
        for state_btd in (*states, said.last_hidden_state)
    ]
    return torch.stack(means, dim=1)
