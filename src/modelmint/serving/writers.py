"""The engine of models that write: ONNX Runtime GenAI over a folder that `compress` built. No PyTorch here.

Shapes: t tokens, v tokens of the vocabulary.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelmint.core.chat_template import Message, chat_template, prompt_ids, room_for
from modelmint.core.continuing import Part, continued, parts, prompt_of
from modelmint.core.errors import InputError, IntegrityError, UnavailableError
from modelmint.core.inputs import CHATS
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON

ENGINE = "genai"
"""What modelmint.json of such a folder says its engine is."""
NEEDED = ("model.onnx", "genai_config.json", "tokenizer.json", "modelmint.json")

Floats: TypeAlias = NDArray[np.float64]
Followed: TypeAlias = tuple[Floats, NDArray[np.int64], Floats]
"""Of given tokens their log-probabilities, the likeliest tokens in their places, and the log-probabilities of those."""
Finish: TypeAlias = Literal["stop", "length"]
Asked: TypeAlias = Sequence[Message] | str
"""A chat up to where the assistant speaks, or a text to go on with."""
MAX_HELD_NUMBERS = 1 << 24
"""Of logits that are looked at together."""


class Writer:
    """A model that is ready to answer chats, or to go on with texts. One thread at a time may call it and its `Writing`s.

    `answers_chats` says which of the two.
    """

    def __init__(self, folder: Path, num_threads: int) -> None:
        about = _json(folder / "modelmint.json")
        self.answers_chats = about.get("task", "chat") in CHATS
        self.max_tokens = int(about["max_tokens"])
        self._stops = [int(one) for one in about["stop_ids"]]
        self.stop_ids = frozenset(self._stops)
        self.positions = int(_json(folder / "genai_config.json")["model"]["context_length"])
        self._template, self._tokenizer = chat_template(folder), _tokenizer(folder)
        self._library = _library()
        self._model = self._opened(folder, num_threads)

    def prompt(
        self, messages: Sequence[Message], tools: str | None = None, *, max_new_tokens: int
    ) -> tuple[list[int], int]:
        """Token ids of a chat up to where the assistant speaks, and how many may follow them.

        What does not fit loses its oldest turns, as in training.

        Raises:
            DataError: the model's template refuses the chat.
        """
        room, num_new = room_for(max_new_tokens, max_tokens=self.max_tokens, positions=self.positions)
        return prompt_ids(self._template, self._tokenizer, messages, tools, limit=room), num_new

    def text_prompt(self, text: str) -> list[int]:
        """Token ids of a text to go on with, as in training; at least one."""
        return prompt_of(self._tokenizer, text, self._stops)

    def start(self, asked: Asked, tools: str | None, sampling: Sampling) -> "Writing":
        """Read a chat or a text, whichever it is, and begin its answer (`begin`).

        Raises:
            DataError: the model's template refuses the chat.
        """
        if isinstance(asked, str):
            return self.begin(self.text_prompt(asked), sampling)
        ids, num_new = self.prompt(asked, tools, max_new_tokens=sampling.max_new_tokens)
        return self.begin(ids, replace(sampling, max_new_tokens=num_new))

    def begin(self, ids: Sequence[int], sampling: Sampling) -> "Writing":
        """Read a prompt of at least one token; its answer is then written by `Writing.step`."""
        return Writing(self, ids, sampling)

    def parts(self, num_prompt: int, num_new: int) -> Iterator[Part]:
        """The new tokens in parts: of a text as `core.continuing` says, of a chat all at once."""
        if self.answers_chats:
            return iter([Part(start=num_prompt, end=num_prompt + num_new, num_read=num_prompt)])
        return parts(num_prompt, num_new, self.max_tokens)

    def follow(self, ids: Sequence[int], places: Sequence[int]) -> Followed:
        """What the model holds of given tokens.

        Args:
            places: where they stand in `ids`, ascending, from 1 on.

        Returns:
            See `Followed`; each of shape (len(places),).
        """
        held, best, most = [], [], []
        wanted, begun = set(places), 0
        generator, size = self.generator(ids[:1], len(ids)), 1
        while begun < places[-1]:
            for at, logits_v in enumerate(_all_logits_tv(generator), begun + 1):
                if at in wanted:
                    total = _log_sum(logits_v)
                    best.append(int(logits_v.argmax()))
                    held.append(float(logits_v[ids[at]]) - total)
                    most.append(float(logits_v.max()) - total)
                size = max(1, MAX_HELD_NUMBERS // len(logits_v))
                begun = at
            if begun < places[-1]:
                generator.append_tokens(np.asarray(ids[begun : min(begun + size, places[-1])], np.int32))
        return np.asarray(held, np.float64), np.asarray(best, np.int64), np.asarray(most, np.float64)

    def text(self, prompt: Sequence[int], ids: Sequence[int]) -> str:
        """What new tokens say behind a prompt, without marks."""
        if self.answers_chats:
            text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
            return text
        return continued(self._tokenizer, prompt, ids)

    def token(self, token_id: int) -> str:
        """One token as it stands in the vocabulary."""
        return self._tokenizer.id_to_token(token_id) or ""

    def generator(self, ids: Sequence[int], num_tokens: int) -> Any:
        """The library's own, with these tokens read, for so many in all."""
        settings = self._library.GeneratorParams(self._model)
        settings.set_search_options(max_length=min(num_tokens + 1, self.positions), do_sample=False)
        generator = self._library.Generator(self._model, settings)
        generator.append_tokens(np.asarray(ids, np.int32))
        return generator

    def _opened(self, folder: Path, num_threads: int) -> Any:
        config = self._library.Config(str(folder))
        options = {"intra_op_num_threads": num_threads, "inter_op_num_threads": 1}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        return self._library.Model(config)


class Writing:
    """One answer under way: token ids without the one that ended it, and the log-probability of each as the model held
    it before any drawing."""

    def __init__(self, writer: Writer, prompt: Sequence[int], sampling: Sampling) -> None:
        self.num_prompt_tokens = len(prompt)
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.finish: Finish | None = None
        self._writer, self._prompt, self._sampling = writer, list(prompt), sampling
        self._parts = writer.parts(len(prompt), sampling.max_new_tokens)
        self._read_anew()
        self._dice = np.random.default_rng([sampling.seed, *prompt]) if sampling.temperature > 0 else None

    def step(self) -> bool:
        """Write one token; False when the answer has ended, and `finish` says why."""
        if self.finish is None and len(self.ids) >= self._sampling.max_new_tokens:
            self.finish = "length"
        if self.finish is not None:
            return False
        logits_v = _logits_v(self._generator)
        if len(self.ids) < self._sampling.min_new_tokens:
            logits_v[list(self._writer.stop_ids)] = -np.inf
        token_id = int(logits_v.argmax()) if self._dice is None else _drawn(logits_v, self._sampling, self._dice)
        if token_id in self._writer.stop_ids:
            self.finish = "stop"
            return False
        self.logprobs.append(float(logits_v[token_id] - _log_sum(logits_v)))
        self.ids.append(token_id)
        num_tokens = len(self._prompt) + len(self.ids)
        if num_tokens < self._part.end:
            self._generator.append_tokens(np.asarray([token_id], np.int32))
        elif len(self.ids) < self._sampling.max_new_tokens:
            self._read_anew()
        return True

    def _read_anew(self) -> None:
        """What the next part goes on from."""
        self._part = next(self._parts)
        row = [*self._prompt, *self.ids]
        read = row[self._part.first :]
        self._generator = self._writer.generator(read, len(read) + self._part.end - self._part.start)

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._writer.text(self._prompt, self.ids)

    @property
    def tokens(self) -> list[str]:
        return [self._writer.token(token_id) for token_id in self.ids]


def open_writer(folder: Path, num_threads: int) -> Writer:
    """The engine of a variant that writes.

    Args:
        folder: holds `NEEDED`; ``modelmint.json`` is ``{"engine": "genai", "max_tokens": int, "stop_ids": [...]}``.
        num_threads: cores that one step may use.

    Raises:
        InputError: a file is missing.
        IntegrityError: the files do not fit one another.
        UnavailableError: onnxruntime-genai is not installed.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"variant: needs {', '.join(NEEDED)}; {', '.join(missing)} is missing",
            parameter="variant",
            remedy="Serve a variant that the verb `compress` made, not the trained model itself.",
        )
    try:
        writer = Writer(folder, num_threads)
        first = writer.begin([next(iter(writer.stop_ids), 0)], Sampling(max_new_tokens=1, min_new_tokens=1))
        first.step()
    except RuntimeError as error:  # what the library raises of files that it cannot read
        raise IntegrityError(
            f"variant: ONNX Runtime GenAI cannot open it: {str(error).strip().partition(chr(10))[0][:300]}",
            remedy="Run the verb `compress` again with --fresh.",
        ) from error
    return writer


def writes(folder: Path) -> bool:
    """Whether a variant's folder is that of a model that writes."""
    about = folder / "modelmint.json"
    return about.is_file() and _json(about).get("engine") == ENGINE


def _drawn(logits_v: Floats, sampling: Sampling, dice: np.random.Generator) -> int:
    """A token drawn from the likeliest ones (nucleus sampling: Holtzman et al. 2020)."""
    order = np.argsort(-logits_v, kind="stable")
    sorted_v = logits_v[order] / sampling.temperature
    chances_v = np.exp(sorted_v - _log_sum(sorted_v))
    kept = np.cumsum(chances_v) - chances_v < sampling.top_p
    if sampling.top_k:
        kept[sampling.top_k :] = False
    chances_v = np.where(kept, chances_v, 0.0)
    return int(order[dice.choice(len(order), p=chances_v / chances_v.sum())])


def _logits_v(generator: Any) -> Floats:
    logits_v: Floats = np.asarray(generator.get_logits(), np.float64)[0, -1]
    return logits_v


def _all_logits_tv(generator: Any) -> Floats:
    """Of every token that was read last."""
    logits_tv: Floats = np.asarray(generator.get_output("logits"), np.float64)[0]
    return logits_tv


def _log_sum(logits_v: Floats) -> float:
    most = float(logits_v.max())
    return most + float(np.log(np.exp(logits_v - most).sum()))


def _library() -> Any:
    try:
        import onnxruntime_genai
    except ImportError as error:
        raise UnavailableError(
            "engine: genai needs ONNX Runtime GenAI, which is not installed",
            parameter="engine",
            remedy="pip install 'modelmint[generation]'",
        ) from error
    onnxruntime_genai.disable_telemetry_events()
    return onnxruntime_genai


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _json(path: Path) -> JSON:
    value: JSON = json.loads(path.read_text(encoding="utf-8"))
    return value
