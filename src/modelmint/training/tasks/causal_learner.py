"""What the tasks share that tune a causal language model to chats. Imports PyTorch.

Shapes: b rows or blocks of a batch, t tokens of the longest, n tokens that the loss counts, v tokens of the vocabulary.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON, Dataset
from modelmint.training.causal import CausalModel, check_causal, grow, load_causal, save_causal, save_tokenizer, takes
from modelmint.training.learner import Batch, Learner, Setting
from modelmint.training.methods.tune import tuned
from modelmint.training.packing import lay_out, pack, unpacked
from modelmint.training.scratch.new_base import contents_of, new_writer
from modelmint.training.tasks.chat_rows import ChatTokens, TaughtRow

Examples = TypeVar("Examples")
TOLERANCE = 1e-3
SCORED_TOKENS = 8_192


class CausalLearner(Learner[Examples], Generic[Examples]):
    """Reads chats by the base's template, and saves a folder that writes with it.

    A task adds `read_rows` (called once for training and once for validation), and what `Learner` asks beyond that.
    """

    has_nothing = False
    """Whether it can begin from nothing."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.max_tokens, self.packs = _max_tokens(setting), False
        if setting.beginning.folder is not None:
            check_causal(setting.beginning.folder)
            self.open(setting.beginning.folder)
        elif not self.has_nothing:
            raise InputError(
                "base: must be a model that can write already; got none",
                parameter="base",
                remedy="Give the folder or the name of a causal language model, or of one that was taught to chat.",
            )

    def open(self, folder: Path) -> None:
        """Make ready to read chats with the template and the tokenizer of `folder`."""
        self.folder, self.tokens = folder, ChatTokens(folder)
        self.pad_id = self.tokens.stop_ids[0] if self.tokens.stop_ids else 0

    def read(self, train: Dataset, validation: Dataset) -> None:
        if self.setting.beginning.folder is None:
            self._made = TemporaryDirectory(prefix="modelmint-base-")  # lives as long as the learner
            self.open(new_writer(self.setting, contents_of(train), Path(self._made.name)))
        self.train = self.read_rows(train, "train")
        self.validation = self.read_rows(validation, "validation")

    @abstractmethod
    def read_rows(self, dataset: Dataset, role: str) -> Examples:
        """Encode the rows of a dataset. The training rows come first.

        Raises:
            DataError: they cannot be trained on.
        """

    def before_tuning(self, model: CausalModel) -> None:
        """What must be seen of the base as it is, in `build`; by default nothing."""

    def build(self) -> nn.Module:
        base = load_causal(self.folder, dropout=self.knobs.encoder_dropout)
        grow(base, self.tokens.num_tokens, like=self.tokens.base_ends)
        if self.knobs.gradient_checkpointing:
            base.gradient_checkpointing_enable()
            base.enable_input_require_grads()
        model = CausalModel(base)
        self.before_tuning(model)
        method = self.setting.spec.method
        model.encoder = tuned(base, method, kind="CAUSAL_LM", num_steps=self.num_steps)
        if self.knobs.freeze_embeddings:
            model.encoder.get_input_embeddings().weight.requires_grad_(False)
        self.packs = self.wants_packing and can_pack(model, self.pad_id)
        return model

    @property
    def wants_packing(self) -> bool:
        """Whether several chats may stand in one block."""
        return False

    def laid_out(self, rows: Sequence[TaughtRow], device: torch.device) -> "LaidOut":
        """As `laid_out`, in blocks of `max_tokens` where this base can be packed."""
        return laid_out(rows, self.pad_id, device, block_tokens=self.max_tokens if self.packs else None)

    def num_tokens(self, batch: Batch) -> tuple[int, int]:
        laid = [value for value in batch.values() if isinstance(value, LaidOut)]
        return sum(one.num_tokens for one in laid), sum(one.inputs["input_ids"].numel() for one in laid)

    def save(self, model: nn.Module, folder: Path) -> None:
        save_causal(model.encoder, folder, stop_ids=self.tokens.stop_ids, pad_id=self.pad_id)
        save_tokenizer(self.folder, folder, self.tokens.tokenizer, chat_template=self.tokens.template.source)

    def facts(self) -> JSON:
        return {
            "max_tokens": self.max_tokens,
            "engine": "torch",
            "stop_ids": self.tokens.stop_ids,
            "pad_id": self.pad_id,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LaidOut:
    """Rows in blocks: what the model reads, and over the tokens of which something is told (b, t - 1) whether they are
    taught and the number of their row; a row's first token never is."""

    inputs: Batch
    ids_bt: Tensor
    taught_bt: Tensor
    row_bt: Tensor
    num_rows: int
    num_tokens: int
    """Without padding."""

    def losses(self, logits_btv: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """(n,) the cross entropy of the tokens that are taught, block after block; only their logits become fp32."""
        logits_nv = logits_btv[:, :-1][self.taught_bt].float()
        ids_n = self.ids_bt[self.taught_bt]
        return functional.cross_entropy(logits_nv, ids_n, label_smoothing=label_smoothing, reduction="none")

    def sums(self, values_n: Tensor) -> Tensor:
        """(rows,) what `losses` gave, summed over each row."""
        sums = torch.zeros(self.num_rows, dtype=values_n.dtype, device=values_n.device)
        return sums.index_add(0, self.row_bt[self.taught_bt], values_n)

    def of_rows(self, values: Tensor) -> Tensor:
        """(n,) for each taught token the value of its row."""
        return values.to(self.row_bt.device)[self.row_bt[self.taught_bt]]


def laid_out(
    rows: Sequence[TaughtRow], pad_id: int, device: torch.device, *, block_tokens: int | None = None
) -> LaidOut:
    """Rows in blocks of `block_tokens`, or in one each."""
    lengths = [len(row.ids) for row in rows]
    places = pack(lengths, block_tokens) if block_tokens else unpacked(lengths)
    ids_bt, position_bt, mask_bt = lay_out([row.ids for row in rows], places, pad_id)
    taught_bt, row_bt = torch.zeros_like(mask_bt, dtype=torch.bool), torch.zeros_like(mask_bt)
    for at, (row, place) in enumerate(zip(rows, places, strict=True)):
        taught_bt[place.block, place.start + 1 : place.start + len(row.ids)] = torch.tensor(row.taught[1:])
        row_bt[place.block, place.start : place.start + len(row.ids)] = at
    inputs = {"input_ids": ids_bt.to(device)}
    inputs |= {"position_ids": position_bt.to(device)} if block_tokens else {"attention_mask": mask_bt.to(device)}
    return LaidOut(
        inputs=inputs,
        ids_bt=ids_bt[:, 1:].to(device),
        taught_bt=taught_bt[:, 1:].to(device),
        row_bt=row_bt[:, 1:].to(device),
        num_rows=len(rows),
        num_tokens=sum(lengths),
    )


def losses_of(model: nn.Module, rows: Sequence[TaughtRow], pad_id: int) -> list[float]:
    """(N,) the summed cross entropy of what is taught in each row, which must be something; a row, a block."""
    model.train(False)
    device = next(model.parameters()).device
    found: dict[int, float] = {}
    with torch.no_grad():
        for places in scored_batches([len(row.ids) for row in rows]):
            laid = laid_out([rows[at] for at in places], pad_id, device)
            sums = laid.sums(laid.losses(model(**laid.inputs)).double())
            found |= dict(zip(places, sums.tolist(), strict=True))
    return [found[at] for at in range(len(rows))]


def scored_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row numbers by like length, about `SCORED_TOKENS` with their padding."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (lengths[at], at)):
        if batch and lengths[at] * (len(batch) + 1) > SCORED_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def can_pack(model: CausalModel, pad_id: int) -> bool:
    """Whether this model keeps two sequences in one block apart: their logits are those that each has alone."""
    if not takes(model.encoder, "position_ids"):
        return False
    rows = [[pad_id, 1, 0, 1], [0, 1, pad_id, 0, 1]]
    device = next(model.parameters()).device
    was_training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            ids_bt, position_bt, _ = lay_out(rows, pack([len(row) for row in rows], 9), pad_id)
            together = model(input_ids=ids_bt.to(device), position_ids=position_bt.to(device))[0]
            apart = [model(input_ids=torch.tensor([row]).to(device))[0] for row in (rows[1], rows[0])]
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
    finally:
        model.train(was_training)
    return bool(torch.allclose(together, torch.cat(apart), atol=TOLERANCE, rtol=TOLERANCE))


def no_rows(role: str, num_rows: int, why: str) -> DataError:
    """The error where nothing of a dataset can be trained on."""
    return DataError(
        f"{role}: must hold rows with something to learn within max_tokens; of {num_rows} rows none has: {why}",
        parameter=role,
        remedy="Look at the rows with `modelmint data preflight`, or raise train.max_tokens.",
    )


def _max_tokens(setting: Setting) -> int:
    limit, wanted = setting.beginning.max_tokens, setting.spec.max_tokens
    if wanted is None:
        return min(setting.knobs.max_tokens, limit)
    if wanted > limit:
        raise InputError(
            f"max_tokens: must be at most {limit}, which is what {setting.beginning.base} reads; got {wanted}",
            parameter="max_tokens",
            remedy=f"Set train.max_tokens to {limit}.",
        )
    return wanted


__all__ = ["CausalLearner", "LaidOut", "can_pack", "laid_out", "losses_of", "no_rows", "scored_batches"]
