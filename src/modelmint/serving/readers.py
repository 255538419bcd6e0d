"""How inputs of each kind become what a model's file takes in. No PyTorch here."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelmint.core.columns import Columns as TableColumns
from modelmint.core.columns import RowCodes
from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.inputs import (
    AUDIO,
    IMAGE,
    MAX_FILES,
    PAIR,
    QUESTION,
    ROW,
    TAKEN,
    TEXT,
    WORDS,
    Columns,
    Input,
    cells_of,
    content_of,
    taken_in,
    words_of,
)
from modelmint.core.items import CONFIG, ITEMS, MAX_WANTED, Catalogue, Ints, best
from modelmint.core.media import MAX_PIXELS, Picture, Sound, num_pixels, scaled_levels, scaled_pixels
from modelmint.core.spans import best_span
from modelmint.core.tags import unread
from modelmint.core.types import JSON
from modelmint.core.windows import Passage, PassageWindows, Window, WordWindows
from modelmint.serving.runtimes import Feeds, Logits

TokenIds = list[int]
Encoding: TypeAlias = Sized
"""One input as the model reads it; its length is the number of its tokens."""


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
_CLICK = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQQAAAAAAAEA"


class PairIds(TokenIds):
    """Token ids of a pair, with the segment (0 or 1) of each."""

    def __init__(self, ids: Sequence[int], type_ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.type_ids = list(type_ids)


class Reader(ABC):
    """How inputs of one kind are read. An encoding is one piece, or several that are answered one by one."""

    needs: ClassVar[tuple[str, ...]] = ("tokenizer.json", "config.json")
    """Files of the model's folder, beside those of every model."""
    example: Input = "one text"
    """What such a model can read."""
    labels: Sequence[str] = ()
    """What the columns of the outputs stand for, where modelmint.json does not say."""

    @abstractmethod
    def __init__(self, folder: Path, about: JSON, columns: Columns) -> None:
        """`about` is the folder's modelmint.json."""

    def check(self, inputs: Sequence[Input]) -> None:  # noqa: B027  # most have no bound of their own
        """Raise an InputError where the inputs of one request are too much to read."""

    @abstractmethod
    def encode(self, inputs: Sequence[Any]) -> list[Encoding]:
        """An encoding an input."""

    @abstractmethod
    def feeds(self, pieces: Sequence[Any]) -> Feeds:
        """The inputs of one forward pass, by name; more than the file takes in do no harm."""

    def pieces(self, encoding: Any) -> Sequence[Any]:
        """What of it goes into a forward pass."""
        return [encoding]

    def joined(self, _encoding: Any, outputs: Sequence[Logits]) -> Logits:
        """The outputs of its pieces as those of the input."""
        return outputs[0]


class TextReader(Reader):
    """Texts or pairs, cut to what the model was trained to read."""

    def __init__(self, folder: Path, about: JSON, columns: Columns) -> None:
        self._are_pairs = columns == PAIR
        if self._are_pairs:
            self.example = {"text": "one text", "text_pair": "another"}
        self._tokenizer = _tokenizer(folder, int(about["max_tokens"]))
        self._pad_id = pad_id(folder)

    def encode(self, inputs: Sequence[Any]) -> list[Encoding]:
        if self._are_pairs:
            encodings = self._tokenizer.encode_batch([(one["text"], one["text_pair"]) for one in inputs])
            return [PairIds(encoding.ids, encoding.type_ids) for encoding in encodings]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(inputs))]

    def feeds(self, pieces: Sequence[TokenIds]) -> Feeds:
        return padded(pieces, [one.type_ids if isinstance(one, PairIds) else () for one in pieces], self._pad_id)


class Sentence(Sized):
    """A row of words in windows."""

    def __init__(self, num_words: int, windows: Sequence[Window]) -> None:
        self.num_words, self.windows = num_words, windows

    def __len__(self) -> int:
        return sum(len(window.token_ids) for window in self.windows)


class WordReader(Reader):
    """Rows of words, the longer ones in windows that overlap; each word is judged in one of them."""

    def __init__(self, folder: Path, about: JSON, _columns: Columns) -> None:
        self._windows = WordWindows(folder, int(about["max_tokens"]), int(about["overlap"]))
        self._has_capitals, self._num_tags = bool(about["capitals"]), len(about["tags"])
        self._pad_id = pad_id(folder)

    def encode(self, inputs: Sequence[Input]) -> list[Encoding]:
        rows = [words_of(one) for one in inputs]
        windows: list[list[Window]] = [[] for _ in rows]
        for window in self._windows.of(rows):
            windows[window.row].append(window)
        return [Sentence(len(row), some) for row, some in zip(rows, windows, strict=True)]

    def pieces(self, encoding: Sentence) -> Sequence[Window]:
        return encoding.windows

    def feeds(self, pieces: Sequence[Window]) -> Feeds:
        types = [one.capitals if self._has_capitals else () for one in pieces]
        return padded([one.token_ids for one in pieces], types, self._pad_id)

    def joined(self, encoding: Sentence, outputs: Sequence[Logits]) -> Logits:
        """(num_words, num_tags) log probabilities."""
        scores_wl = unread(encoding.num_words, self._num_tags)
        for window, logits_tl in zip(encoding.windows, outputs, strict=True):
            found_tl = logits_tl[window.places]
            found_tl = found_tl - found_tl.max(axis=1, keepdims=True)
            scores_wl[window.words] = found_tl - np.log(np.exp(found_tl).sum(axis=1, keepdims=True))
        return scores_wl


class Question(Sized):
    """A question with the windows of its context."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages

    def __len__(self) -> int:
        return sum(len(passage.token_ids) for passage in self.passages)


class PassageReader(Reader):
    """Questions with contexts, the longer ones in windows that overlap; of all its windows the best span is taken."""

    def __init__(self, folder: Path, about: JSON, _columns: Columns) -> None:
        self.example = {"question": "which", "context": "one text"}
        self._windows = PassageWindows(
            folder,
            int(about["max_tokens"]),
            overlap=int(about["overlap"]),
            max_question_tokens=int(about["max_question_tokens"]),
        )
        self._max_answer_tokens, self._pad_id = int(about["max_answer_tokens"]), pad_id(folder)

    def encode(self, inputs: Sequence[Any]) -> list[Encoding]:
        rows: list[list[Passage]] = [[] for _ in inputs]
        for passage in self._windows.of([one["question"] for one in inputs], [one["context"] for one in inputs]):
            rows[passage.row].append(passage)
        return [Question(row) for row in rows]

    def pieces(self, encoding: Question) -> Sequence[Passage]:
        return encoding.passages

    def feeds(self, pieces: Sequence[Passage]) -> Feeds:
        return padded([one.token_ids for one in pieces], [one.type_ids for one in pieces], self._pad_id)

    def joined(self, encoding: Question, outputs: Sequence[Logits]) -> Logits:
        """(4,) see `core.spans.best_span`."""
        cut = [one[: len(passage.token_ids)] for one, passage in zip(outputs, encoding.passages, strict=True)]
        return best_span(cut, encoding.passages, max_answer_tokens=self._max_answer_tokens)


class Decoded(Sized):
    """An image, a recording or a row of a table as numbers; it has no tokens."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __len__(self) -> int:
        return 0


class FileReader(Reader):
    """Images or recordings, decoded and scaled as in training (`core.media`)."""

    needs: ClassVar[tuple[str, ...]] = ()
    name: str

    def __init__(self, _folder: Path, about: JSON, _columns: Columns) -> None:
        self._mean, self._std = about["mean"], about["std"]

    @abstractmethod
    def read(self, content: bytes) -> NDArray[Any]:
        """An array, of one size for all; a DataError where it cannot be decoded."""

    @abstractmethod
    def scaled(self, arrays: NDArray[Any]) -> NDArray[Any]:
        """What the network takes in, (num_files, c, h, w)."""

    def check(self, inputs: Sequence[Input]) -> None:
        if len(inputs) > MAX_FILES:
            raise _too_much(f"at most {MAX_FILES} files; got {len(inputs)}")

    def encode(self, inputs: Sequence[Input]) -> list[Encoding]:
        return [Decoded(self.read(content_of(one, self.name))) for one in inputs]

    def feeds(self, pieces: Sequence[Decoded]) -> Feeds:
        return {"pixels": self.scaled(np.stack([one.array for one in pieces]))}


class PictureReader(FileReader):
    """Images: PNG, JPEG and what else `core.media` decodes, in the size and the colours of training."""

    name = "image"

    def __init__(self, folder: Path, about: JSON, columns: Columns) -> None:
        super().__init__(folder, about, columns)
        self.example = {"image": _PIXEL}
        self._picture = Picture.from_json(about["picture"])

    def check(self, inputs: Sequence[Input]) -> None:
        super().check(inputs)
        together = sum(num_pixels(content_of(one, self.name)) for one in inputs)
        if together > MAX_PIXELS:
            raise _too_much(f"images of at most {MAX_PIXELS:,} pixels together; got {together:,}")

    def read(self, content: bytes) -> NDArray[Any]:
        return self._picture.read(content)

    def scaled(self, arrays: NDArray[Any]) -> NDArray[Any]:
        return scaled_pixels(arrays, self._mean, self._std)


class SoundReader(FileReader):
    """Recordings, as the spectra of training."""

    name = "audio"

    def __init__(self, folder: Path, about: JSON, columns: Columns) -> None:
        super().__init__(folder, about, columns)
        self.example = {"audio": _CLICK}
        self._sound = Sound.from_json(about["sound"])

    def read(self, content: bytes) -> NDArray[Any]:
        return self._sound.read(content)

    def scaled(self, arrays: NDArray[Any]) -> NDArray[Any]:
        return scaled_levels(arrays, self._mean, self._std)


class RowReader(Reader):
    """Rows of a table, by the columns of training (`core.columns`).

    What cannot be answered is refused by `check`. `encode` reads it as training would: what is not known is missing.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, _folder: Path, about: JSON, _columns: Columns) -> None:
        self._codes = RowCodes(TableColumns.from_json(about["columns"], about.get("left_out_columns")))
        self.example = {"row": {column.name: None for column in self._codes.columns.columns}}

    def check(self, inputs: Sequence[Input]) -> None:
        for at, one in enumerate(inputs):
            if wrong := self._codes.wrong(cells_of(one)):
                raise InputError(f"input[{at}].row: {wrong[0]}", parameter="input", remedy=wrong[1])

    def encode(self, inputs: Sequence[Input]) -> list[Encoding]:
        return [Decoded(row) for row in self._codes.encode([cells_of(one) for one in inputs])]

    def feeds(self, pieces: Sequence[Decoded]) -> Feeds:
        """`numbers` in the precision of training, `cells` in that of a network."""
        numbers = np.stack([one.array for one in pieces])
        with np.errstate(over="ignore"):  # the network cuts what is too large
            return {"numbers": numbers, "cells": numbers.astype(np.float32)}


class Taken(Sized):
    """What a user took, by number: what the model reads of it, counted from 1, and all of it."""

    def __init__(self, read: TokenIds, seen: Ints) -> None:
        self.read, self.seen = read, seen

    def __len__(self) -> int:
        return len(self.read)


class TakenReader(Reader):
    """Histories of items, of which the newest are read. Who took nothing that is known is given what is popular."""

    needs = (ITEMS, CONFIG)

    def __init__(self, folder: Path, _about: JSON, _columns: Columns) -> None:
        self.labels = self._items = Catalogue.read(folder)
        self.example = {"items": [self._items[0]]}
        self._max_history = int(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["max_history"])

    def encode(self, inputs: Sequence[Input]) -> list[Encoding]:
        histories = [self._items.numbers(taken_in(one)) for one in inputs]
        return [Taken((seen[-self._max_history :] + 1).tolist(), seen) for seen in histories]

    def pieces(self, encoding: Taken) -> Sequence[TokenIds]:
        return [encoding.read] if encoding.read else []

    def feeds(self, pieces: Sequence[TokenIds]) -> Feeds:
        return {"item_ids": padded(pieces, [()] * len(pieces), 0)["input_ids"]}

    def joined(self, encoding: Taken, outputs: Sequence[Logits]) -> Logits:
        """(MAX_WANTED, 2) the number and the probability of each of the best, -1 and 0 where there are fewer."""
        scores_i = outputs[0] if outputs else self._items.popularity()
        if scores_i.shape != (len(self._items),):
            raise IntegrityError(
                f"variant: {len(self._items)} items need as many scores; got {scores_i.shape[-1]}",
                remedy="Run the verb `compress` again with --fresh.",
            )
        numbers, chances = best(scores_i, encoding.seen, MAX_WANTED)
        best_k2 = np.tile(np.array([-1.0, 0.0]), (MAX_WANTED, 1))
        best_k2[: len(numbers), 0], best_k2[: len(numbers), 1] = numbers, chances
        return best_k2


READERS: Mapping[Columns, type[Reader]] = {
    TEXT: TextReader,
    PAIR: TextReader,
    WORDS: WordReader,
    QUESTION: PassageReader,
    IMAGE: PictureReader,
    AUDIO: SoundReader,
    ROW: RowReader,
    TAKEN: TakenReader,
}
"""By the columns that a model reads."""


def _too_much(allowed: str) -> InputError:
    return InputError(
        f"input: must be {allowed}", parameter="input", remedy="Make them smaller, or send them in several requests."
    )


def padded(ids: Sequence[Sequence[int]], type_ids: Iterable[Sequence[int]], pad: int) -> Feeds:
    """Token ids, mask and types of tokens, each of shape (pieces, length of the longest)."""
    shape = (len(ids), max(1, *map(len, ids)))
    ids_nt, mask_nt, types_nt = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, (one, types) in enumerate(zip(ids, type_ids, strict=True)):
        ids_nt[row, : len(one)] = one
        mask_nt[row, : len(one)] = 1
        types_nt[row, : len(types)] = types
    return {"input_ids": ids_nt, "attention_mask": mask_nt, "token_type_ids": types_nt}


def pad_id(folder: Path) -> int:
    """The token that fills up a batch."""
    config: Mapping[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("pad_token_id") or 0)


def _tokenizer(folder: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # padded here, to the longest of the batch
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
