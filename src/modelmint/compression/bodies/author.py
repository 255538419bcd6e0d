"""A trained chat model that writes answers for a smaller one to learn, and what it wrote. Imports PyTorch.

Source: Kim and Rush, Sequence-Level Knowledge Distillation (2016): the student learns the teacher's likeliest sentence.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch

from modelmint.compression.bodies.prompts import Chat
from modelmint.core.chat_template import room_for
from modelmint.core.errors import DataError
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.training.causal import CausalModel, load_causal
from modelmint.training.generation import Continuation, generate
from modelmint.training.tasks.chat_rows import ChatTokens, LossOn, TaughtRow
from modelmint.training.tasks.table import read_about

CHUNK_PROMPTS = 32
"""They are answered together, and lost together where the stage is killed amid them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Prompts with the answers that were written to them, which are what is taught.

    `counts` tells how many ``prompts`` there were, and how many of them were left out: ``cut`` where the answer came to
    no end, ``empty`` where it says nothing, ``refused`` where the chat template does not take them.
    """

    rows: list[TaughtRow]
    counts: Mapping[str, int]


class Author:
    """A trained chat model, opened. One thread at a time may call it.

    Raises:
        InputError: the folder is not that of a trained chat model.
    """

    def __init__(self, folder: Path) -> None:
        self.about: JSON = read_about(folder)
        self.model = CausalModel(load_causal(folder))
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.model.train(False).requires_grad_(False)
        self.tokens = ChatTokens(folder)
        self.max_tokens, self.pad_id = int(self.about["max_tokens"]), int(self.about["pad_id"])
        self.loss_on: LossOn = self.about.get("loss_on", "answers")

    def given(self, chats: Sequence[Chat]) -> list[TaughtRow]:
        """What chats teach by themselves, as training reads them; those that teach nothing are left out."""
        found = []
        for chat, whole in zip(chats, self.tokens.taught(chats, self.loss_on), strict=True):
            if isinstance(whole, TaughtRow):
                row = self.tokens.shortened(whole, *chat, limit=self.max_tokens, loss_on=self.loss_on, how="turns")
                if row.num_taught:
                    found.append(row)
        return found

    def written(
        self,
        prompts: Sequence[Chat],
        kept: Path,
        *,
        max_new_tokens: int,
        say: Callable[[int, int, str], None],
        check: Callable[[], None],
    ) -> Written:
        """The likeliest answer to each prompt, token by token, and its end mark.

        Args:
            kept: a file that answers are added to as they are written; those that stand in it are not written again.
            max_new_tokens: where an answer is cut; the prompt and the answer together have `max_tokens`.
        """
        room, num_new = room_for(max_new_tokens, max_tokens=self.max_tokens, positions=self.max_tokens)
        counts = Counter({"prompts": len(prompts), "cut": 0, "empty": 0, "refused": 0})
        asked = []
        for prompt in prompts:
            try:
                asked += self.tokens.prompts([prompt], room)
            except DataError:
                counts["refused"] += 1
        asked.sort(key=lambda ids: (len(ids), ids))
        sampling = Sampling(max_new_tokens=num_new)
        rows = []
        for ids, answer in zip(asked, self._answers(asked, sampling, kept, say, check), strict=True):
            if answer.end_id is None:
                counts["cut"] += 1
            elif not self.tokens.tokenizer.decode(answer.ids, skip_special_tokens=True).strip():
                counts["empty"] += 1
            else:
                said = [*answer.ids, answer.end_id]
                rows.append(TaughtRow(ids=[*ids, *said], taught=[False] * len(ids) + [True] * len(said)))
        return Written(rows=rows, counts=dict(counts))

    def _answers(
        self,
        asked: Sequence[Sequence[int]],
        sampling: Sampling,
        kept: Path,
        say: Callable[[int, int, str], None],
        check: Callable[[], None],
    ) -> list[Continuation]:
        """In chunks that are the same whenever it was killed: an answer's last bits hang on its neighbours' length."""
        found = _read(kept)
        found = found[: len(found) // CHUNK_PROMPTS * CHUNK_PROMPTS] if len(found) < len(asked) else found
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as stream:
            _add(stream, found)
        partial.rename(kept)
        with kept.open("a", encoding="utf-8") as stream:
            while len(found) < len(asked):
                check()
                say(len(found), len(asked), "the trained model writes answers")
                new = generate(
                    self.model.encoder,
                    asked[len(found) : len(found) + CHUNK_PROMPTS],
                    sampling,
                    stop_ids=self.tokens.stop_ids,
                    pad_id=self.pad_id,
                    batch_size=CHUNK_PROMPTS,
                )
                _add(stream, new)
                found += new
        return found


def _add(stream: IO[str], answers: Sequence[Continuation]) -> None:
    for one in answers:
        stream.write(json.dumps({"ids": one.ids, "end_id": one.end_id}) + "\n")
    stream.flush()


def _read(path: Path) -> list[Continuation]:
    """Whole lines; the last may have been cut by a kill."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else ():
        if line.endswith("\n"):
            told = json.loads(line)
            found.append(Continuation(ids=told["ids"], stopped=told["end_id"] is not None, end_id=told["end_id"]))
    return found
