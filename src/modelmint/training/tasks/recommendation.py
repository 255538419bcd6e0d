"""What a user takes next, learned from what users took in which order. Imports PyTorch.

The folder: `recommender.json` (model and sizes), `model.safetensors`, `items.json` (the items' names in the order of
their numbers, and how often each was taken) and, unless it is switched off, `users.json` and `histories.safetensors`,
by which a user can be asked for by name.

Shapes: b histories of a batch, t places, i items, n items drawn.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import InputError
from modelmint.core.items import CONFIG, ITEMS
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.evaluation.metrics.recommendation import of_ranks
from modelmint.training.learner import Batch, Learner, Score
from modelmint.training.recommendation import baselines
from modelmint.training.recommendation.histories import Histories, Ints, Questions, ranks
from modelmint.training.recommendation.model import PAD, WEIGHTS, Kind, new_model, read_model
from modelmint.training.tasks.recommender import HISTORIES, USERS, scorer

FULL_ITEMS = 20_000
"""With more items the loss compares with some that are drawn, unless the option says otherwise."""
NUM_DRAWN = 4_096
NOT_LEARNED = -100


class RecommendationOptions(Spec):
    """What only `recommendation` knows."""

    model: Kind = "sequence"
    """`sequence`: a transformer over the history in its order (SASRec). `two-tower`: one vector of a user, from means
    of the history and its newest item, and one of each item; faster, and blind to most of the order."""
    width: int = Field(default=64, ge=4, le=4096)
    """Numbers an item."""
    num_layers: int = Field(default=2, ge=0, le=64)
    """Layers of the transformer, or of each tower."""
    num_heads: int = Field(default=2, ge=1, le=64)
    """Heads of attention; they share the width. Of `sequence` alone."""
    max_history: int = Field(default=50, ge=1, le=10_000)
    """How many of a user's newest items are read; longer histories are learned from in pieces."""
    min_rating: float | None = None
    """Rows with a lower rating, or with none, are left out; null takes every row as liked."""
    num_negatives: int | None = Field(default=None, ge=1, le=1_000_000)
    """Compare with so many items that are drawn at each step in place of all of them. Null compares with all up to 20,000
    items, with 4,096 beyond. (With all or many the cross entropy is the better loss: Klenitskiy and Vasilev 2023.)"""
    keep_histories: bool = True
    """Keep the users' names and histories in the model's folder, so that it answers for a user by name. They are
    personal data; without them each question must bring its history."""
    baselines: bool = True
    """Fit popularity, item-kNN and ALS on the same rows, and tell their figures beside the model's."""


class Recommendation(Learner[Sequence[Ints]]):
    """Learns to tell the next item at each place of a history; judged by all items that a user had not yet."""

    Options = RecommendationOptions
    head = "no weight is a head"

    def read(self, train: Dataset, validation: Dataset) -> None:
        self._refuse_what_is_not_read()
        options: RecommendationOptions = self.setting.options
        self.histories = Histories.read(train, "train", options.min_rating)
        self.asked = Questions.read(validation, self.histories, "validation", options.min_rating)
        self._known = self.histories.longer_by(validation, "validation", options.min_rating)
        self.train = list(_windows(self.histories.of_user, options.max_history))
        self.validation = self.asked.histories

    def build(self) -> nn.Module:
        options: RecommendationOptions = self.setting.options
        names = ("model", "width", "num_layers", "num_heads", "max_history")
        self._config = {"num_items": len(self.histories.items)} | {name: getattr(options, name) for name in names}
        model = new_model({**self._config, "dropout": self.knobs.encoder_dropout})
        if self.setting.beginning.folder is not None:
            _inherit(model, self._config, self.setting.beginning.folder, self.histories.items)
        return model

    def lengths(self, examples: Sequence[Ints]) -> Sequence[int]:
        return [len(history) for history in examples]

    def batch(self, examples: Sequence[Ints], rows: Sequence[int], device: torch.device) -> Batch:
        windows = [examples[row] + 1 for row in rows]
        longest = max(map(len, windows)) - 1
        item_ids, targets = (np.full((len(rows), longest), fill, np.int64) for fill in (PAD, NOT_LEARNED))
        for row, window in enumerate(windows):
            item_ids[row, : len(window) - 1] = window[:-1]
            targets[row, : len(window) - 1] = window[1:]
        tensors = {"item_ids": torch.from_numpy(item_ids), "targets": torch.from_numpy(targets)}
        return {name: tensor.to(device) for name, tensor in tensors.items()}

    def weight(self, batch: Batch) -> float:
        return float((batch["targets"] != NOT_LEARNED).sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy over all items, or over the right one and some that are drawn."""
        targets_bt, smoothing = batch["targets"], self.knobs.label_smoothing
        learned_bt = targets_bt != NOT_LEARNED
        num_items, num_drawn = len(self.histories.items), self.setting.options.num_negatives
        if num_drawn is None and num_items <= FULL_ITEMS:
            logits = model(batch["item_ids"])[learned_bt].float()[:, PAD + 1 :]
            targets = targets_bt[learned_bt] - PAD - 1
        else:
            drawn_n = torch.randint(PAD + 1, num_items + 1, (num_drawn or NUM_DRAWN,)).to(targets_bt.device)
            logits = model(batch["item_ids"], targets_bt.clamp(min=PAD), drawn_n)[learned_bt].float()
            same = targets_bt[learned_bt][:, None] == drawn_n
            logits[:, 1:] = logits[:, 1:].masked_fill(same, torch.finfo(torch.float32).min)
            targets, smoothing = torch.zeros(len(logits), dtype=torch.long, device=logits.device), 0.0
        return functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")

    def score(self, model: nn.Module) -> Score:
        found = ranks(scorer(model, self.setting.options.max_history), self.asked, len(self.histories.items))
        ndcg = of_ranks(found, seed=self.setting.seed)["ndcg_at_10"]["value"]
        return Score(metric="ndcg_at_10", value=ndcg, num_rows=len(self.asked))

    def save(self, model: nn.Module, folder: Path) -> None:
        _write_json(folder / CONFIG, self._config)
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / WEIGHTS)
        known = self._known
        _write_json(folder / ITEMS, {"items": known.items, "counts": known.counts().tolist()})
        if self.setting.options.keep_histories:
            _write_json(folder / USERS, known.users)
            ends = np.cumsum([len(history) for history in known.of_user])
            arrays = {"items": np.concatenate(known.of_user), "ends": ends.astype(np.int64)}
            save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, folder / HISTORIES)

    def facts(self) -> JSON:
        return {"engine": "torch", "model": self.setting.options.model, "num_items": len(self.histories.items)}

    def told(self) -> JSON:
        asked, num_items = self.asked, len(self.histories.items)
        about: JSON = {
            "num_users": len(self.histories.users),
            "num_items": num_items,
            "num_interactions": self.histories.num_rows,
            "num_validation_users_without_history": asked.num_unknown_users,
            "num_validation_items_never_seen": int((asked.items_q < 0).sum()),
            "protocol": "each validation row: all items that the user had not yet are ranked, by what came before",
        }
        if not self.setting.options.baselines or not len(asked):
            return about
        fitted = baselines.fit_all(self.histories, asked, seed=self.setting.seed)
        return about | {"baselines": baselines.told(fitted, asked, num_items, seed=self.setting.seed)}

    def _refuse_what_is_not_read(self) -> None:
        spec, options = self.setting.spec, self.setting.options
        for name, given in (("architecture", spec.architecture), ("tokenizer", spec.tokenizer)):
            if given is not None:
                raise InputError(
                    f"{name}: must be left out, since recommendation has none; got {given.name}",
                    parameter=name,
                    remedy="`options: {model: sequence}` or `{model: two-tower}` says what is made.",
                )
        if options.model == "sequence" and options.width % options.num_heads:
            raise InputError(
                f"options.num_heads: must divide options.width ({options.width}); got {options.num_heads}",
                parameter="options.num_heads",
            )


def _windows(of_user: Sequence[Ints], max_history: int) -> Sequence[Ints]:
    """Pieces of `max_history` items and the one that follows, from the newest back; a piece ends where the next begins."""
    found = []
    for history in of_user:
        end = len(history)
        while end > 1:
            start = max(0, end - max_history - 1)
            found.append(history[start:end])
            end = start + 1
    return found


def _inherit(model: nn.Module, config: JSON, folder: Path, items: Sequence[str]) -> None:
    """Go on from an earlier model: items of the same name keep their vectors, the rest is taken as a whole."""
    earlier, known = read_model(folder)
    differs = [name for name, value in config.items() if name != "num_items" and known.get(name) != value]
    if differs:
        raise InputError(
            f"options.{differs[0]}: must be that of the model to start from, {known.get(differs[0])!r}; got "
            f"{config[differs[0]]!r}",
            parameter=f"options.{differs[0]}",
            remedy="Set the options of the earlier training, or start from nothing.",
        )
    names = json.loads((folder / ITEMS).read_text(encoding="utf-8"))["items"]
    place = {name: at for at, name in enumerate(names)}
    weights = earlier.state_dict()
    vectors = model.state_dict()["items.weight"].clone()
    for at, name in enumerate(items):
        if name in place:
            vectors[at + 1] = weights["items.weight"][place[name] + 1]
    model.load_state_dict({**weights, "items.weight": vectors})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
