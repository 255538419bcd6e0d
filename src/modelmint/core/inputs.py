"""What one input of each task is: over HTTP, in a dataset's row, in the journal and to an engine.

The same JSON value everywhere: a bare text, or an object by the columns of a row, ``{"text": ..., "text_pair": ...}``.
`SERVED` says what a task reads and answers by, `HTTPInput` how each may look and how large it may be.
"""

import hashlib
import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypeAlias

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from modelmint.core.columns import json_cell
from modelmint.core.errors import InputError
from modelmint.core.items import MAX_WANTED, NUM_ITEMS
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.core.tags import words_in
from modelmint.core.types import JSON

Input: TypeAlias = str | JSON
"""A text, or an object by column."""
Columns: TypeAlias = tuple[str, ...]

TEXT: Columns = ("text",)
PAIR: Columns = ("text", "text_pair")
WORDS: Columns = ("tokens",)
QUESTION: Columns = ("question", "context")
IMAGE: Columns = ("image",)
AUDIO: Columns = ("audio",)
ROW: Columns = ("row",)
TAKEN: Columns = ("items",)
FILES = (IMAGE, AUDIO)
MAX_FILE_BYTES = 700_000
"""Of an image or a recording as a file."""
MAX_FILES = 32
"""In one request."""
MAX_TAKEN = 1_000
"""Items of one history."""
MAX_ITEM_CHARACTERS = 1_000
"""Of one item's name."""
MAX_TAKEN_CHARACTERS = 200_000
"""Of all names of one history."""
WANTED = "num_items"
"""How many items to recommend: a key beside `TAKEN` that may be left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What an endpoint of a task reads, and how it answers."""

    columns: Columns = TEXT
    """Of a row; an input is a text or has them as its keys."""
    by: str = "softmax"
    """How outputs become answers (`serving.answers`), where a model's fact `answers` says nothing."""
    says: tuple[str, ...] = ()
    """Facts of the model, beside its labels and its length, that serving needs."""


SERVED: Mapping[str, Served] = {
    "text-classification": Served(),
    "multi-label-classification": Served(by="sigmoid"),
    "text-regression": Served(by="identity"),
    "text-pair-classification": Served(columns=PAIR),
    "token-classification": Served(columns=WORDS, by="tags", says=("tags", "entities", "overlap", "capitals")),
    "question-answering": Served(
        columns=QUESTION, by="span", says=("overlap", "max_question_tokens", "max_answer_tokens", "can_be_none")
    ),
    "text-embedding": Served(by="vector", says=("dimensions",)),
    "text-reranking": Served(columns=PAIR, by="relevance", says=("typed",)),
    "image-classification": Served(columns=IMAGE, says=("picture", "mean", "std")),
    "audio-classification": Served(columns=AUDIO, says=("sound", "mean", "std")),
    "tabular-classification": Served(columns=ROW, says=("columns", "left_out_columns", "scales")),
    "tabular-regression": Served(columns=ROW, by="identity", says=("columns", "left_out_columns", "scales")),
    "recommendation": Served(columns=TAKEN, by="ranking"),
}
"""The tasks that an endpoint answers by `POST /v1/predict`."""
CHATS = ("chat", "preference")
"""The tasks whose models answer chats."""
WRITTEN = (*CHATS, "text-generation")
"""The tasks of models that write token by token: chats (`POST /v1/chat/completions`) and texts (`/v1/completions`)."""
SAID: Mapping[Columns, str] = {
    TEXT: "one text: `text`",
    PAIR: "two texts: `text` and `text_pair`",
    WORDS: "words: `tokens`, or a text",
    QUESTION: "a question of a text: `question` and `context`",
    IMAGE: "an image: `image`, a file in base64",
    AUDIO: "a recording: `audio`, a file in base64",
    ROW: "a row of a table: `row`, its cells by column",
    TAKEN: "what a user took, the oldest first: `items`",
}


def _bounded(words: list[str]) -> list[str]:
    if len(" ".join(words)) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"words together should have at most {MAX_TEXT_CHARACTERS} characters, with a space between")
    return words


def _bounded_names(items: list[str]) -> list[str]:
    if sum(map(len, items)) > MAX_TAKEN_CHARACTERS:
        raise ValueError(f"items together should have at most {MAX_TAKEN_CHARACTERS} characters")
    return items


_Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
_CLOSED = ConfigDict(extra="forbid")


@with_config(_CLOSED)
class TextInput(TypedDict):
    """One text, or two of them to a model of pairs."""

    text: _Text
    text_pair: NotRequired[_Text]


@with_config(_CLOSED)
class WordsInput(TypedDict):
    """A sentence as words, to a model that gives each a tag."""

    tokens: Annotated[list[_Text], Field(max_length=MAX_TEXT_CHARACTERS), AfterValidator(_bounded)]


@with_config(_CLOSED)
class QuestionInput(TypedDict):
    """A question, and the text that its answer is cut from."""

    question: _Text
    context: _Text


_File = Annotated[str, Field(max_length=-(-MAX_FILE_BYTES // 3) * 4, json_schema_extra={"contentEncoding": "base64"})]


@with_config(_CLOSED)
class ImageInput(TypedDict):
    """An image file (PNG, JPEG, WebP, BMP or GIF) in base64."""

    image: _File


@with_config(_CLOSED)
class AudioInput(TypedDict):
    """A sound file (WAV, FLAC, Ogg or MP3) in base64."""

    audio: _File


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("cell", "must be a text, a finite number, true, false or null")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise PydanticCustomError("cell", f"must have at most {MAX_TEXT_CHARACTERS} characters")
    return value


_Cell = Annotated[Any, PlainValidator(_cell, json_schema_input_type=_Text | float | bool | None)]


@with_config(_CLOSED)
class RowInput(TypedDict):
    """A row of a table: its cells by column. A date is a text in ISO 8601, null a value that is not known."""

    row: dict[str, _Cell]


_Item = Annotated[str, Field(max_length=MAX_ITEM_CHARACTERS)]


@with_config(_CLOSED)
class TakenInput(TypedDict):
    """What a user took, the oldest first, and how many items are wanted (10)."""

    items: Annotated[list[_Item], Field(max_length=MAX_TAKEN), AfterValidator(_bounded_names)]
    num_items: NotRequired[Annotated[int, Field(ge=1, le=MAX_WANTED)]]


_SHAPES = {
    "text": "texts",
    "tokens": "words",
    "question": "question of a text",
    "image": "image file",
    "audio": "sound file",
    "row": "row of a table",
    "items": "items of a user",
}


def _shape(value: Any) -> str | None:
    """Which of the shapes below was meant."""
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return next((name for key, name in _SHAPES.items() if key in value), None)
    return None


HTTPInput: TypeAlias = Annotated[
    Annotated[_Text, Tag("a text")]
    | Annotated[TextInput, Tag("texts")]
    | Annotated[WordsInput, Tag("words")]
    | Annotated[QuestionInput, Tag("question of a text")]
    | Annotated[ImageInput, Tag("image file")]
    | Annotated[AudioInput, Tag("sound file")]
    | Annotated[RowInput, Tag("row of a table")]
    | Annotated[TakenInput, Tag("items of a user")],
    Discriminator(
        _shape,
        custom_error_type="input_shape",
        custom_error_message='must be a text, {"text": ...}, {"text": ..., "text_pair": ...}, {"tokens": [...]}, {"question": '
        '..., "context": ...}, {"image": BASE64}, {"audio": BASE64}, {"row": {COLUMN: CELL, ...}} or {"items": [...]}',
    ),
]
"""One input as a request may give it, bounded. What the model behind an endpoint reads is for `check`."""
SHAPES = ("a text", *_SHAPES.values())
"""The tags above, which are no part of a parameter's name."""


def reads(about: Mapping[str, Any]) -> Columns:
    """The columns that a model reads, by its facts or its modelmint.json."""
    if about.get("inputs"):
        return tuple(about["inputs"])
    return SERVED[str(about["task"])].columns if about.get("task") in SERVED else TEXT


def labels_of(about: Mapping[str, Any]) -> list[str]:
    """What the columns of a model's outputs stand for."""
    return [str(label) for label in about.get("labels") or about.get("tags") or ()]


def how_of(about: Mapping[str, Any]) -> JSON:
    """How a model's outputs become answers."""
    if about.get("answers"):
        return dict(about["answers"])
    by = SERVED[str(about["task"])].by if about.get("task") in SERVED else "softmax"
    needed = {"tags": "entities", "span": "can_be_none"}.get(by)
    if by == "vector":  # that of which the first numbers are vectors of their own
        return {"by": by, "dimensions": list(about.get("dimensions", ()))}
    return {"by": by, **({needed: bool(about[needed])} if needed else {})}


def plain(value: Any) -> Any:
    """``{"text": ...}`` as the bare text that it is; everything else as it was given."""
    return value["text"] if isinstance(value, Mapping) and value.keys() == {"text"} else value


def of_rows(rows: Mapping[str, Sequence[Any]], columns: Columns) -> list[Input]:
    """(N,) the inputs of rows by column."""
    if columns == TEXT:
        return list(rows["text"])
    if columns in FILES:
        (name,) = columns
        return [{name: b64encode(content).decode("ascii")} for content in rows[name]]
    if columns == ROW:
        names = [name for name in rows if name != "label" and not name.startswith("_")]
        return [
            {"row": {name: json_cell(cell) for name, cell in zip(names, cells, strict=True)}}
            for cells in zip(*(rows[name] for name in names), strict=True)
        ]
    cells = zip(*(rows[name] for name in columns), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def to_rows(inputs: Sequence[Input], columns: Columns) -> dict[str, list[Any]]:
    """The rows, by column, of what such a model reads."""
    if columns == WORDS:
        return {"tokens": [words_of(one) for one in inputs]}
    if columns in FILES:
        (name,) = columns
        return {name: [content_of(one, name) for one in inputs]}
    if columns == ROW:
        names = dict.fromkeys(name for one in inputs for name in cells_of(one))
        return {name: [cells_of(one).get(name) for one in inputs] for name in names}
    if columns == TAKEN:
        return {"items": [taken_in(one) for one in inputs], WANTED: [wanted_in(one) for one in inputs]}
    return {name: [one if isinstance(one, str) else one[name] for one in inputs] for name in columns}


def content_of(one: Input, name: str) -> bytes:
    """The bytes of an image or a recording.

    Raises:
        InputError: they are no base64, or there are none.
    """
    text = one if isinstance(one, str) else str(one[name])
    try:
        content = b64decode(text, validate=True)
    except ValueError as error:
        raise _no_file(name, f"other signs ({error})") from error
    if not content:
        raise _no_file(name, "nothing")
    return content


def kept(one: Input) -> Input:
    """What of an input is kept with its prediction: of a file its size and digest, of others all."""
    if isinstance(one, str) or not {"image", "audio"} & one.keys():
        return one
    (name,) = one
    content = content_of(one, name)
    return {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}


def words_of(one: Input) -> list[str]:
    """The words of an input for tags: as they were given, or those of a text."""
    return [word for word, _ in words_in(one)] if isinstance(one, str) else list(one["tokens"])


def cells_of(one: Input) -> Mapping[str, Any]:
    """The cells of a row by column."""
    cells: Mapping[str, Any] = {} if isinstance(one, str) else one["row"]
    return cells


def taken_in(one: Input) -> list[str]:
    """What the user took, the oldest first."""
    return [] if isinstance(one, str) else [str(item) for item in one["items"]]


def wanted_in(one: Input) -> int:
    """How many items to recommend."""
    return NUM_ITEMS if isinstance(one, str) else int(one.get(WANTED, NUM_ITEMS))


def check(inputs: Sequence[Input], columns: Columns) -> None:
    """Whether a model that reads these columns can read every input.

    Raises:
        InputError: it cannot; the message says what it reads.
    """
    wanted = [{"text"}, set(columns)] if columns in (TEXT, WORDS) else [set(columns)]
    if columns == TAKEN:
        wanted.append({*columns, WANTED})
    for at, one in enumerate(inputs):
        given = {"text"} if isinstance(one, str) else set(one)
        if given not in wanted:
            raise InputError(
                f"input[{at}]: must be {SAID[columns]}; got {' and '.join(sorted(given))}",
                parameter="input",
                remedy="This is what the model behind the endpoint reads.",
            )


def _no_file(name: str, given: str) -> InputError:
    return InputError(
        f"{name}: must be a file in base64; got {given}",
        parameter=name,
        remedy="Encode its bytes: base64 -w0 FILE.",
    )


def fits(one: Input, max_characters: int = MAX_TEXT_CHARACTERS) -> bool:
    """Whether an endpoint takes an input of this size."""
    if isinstance(one, dict) and {"image", "audio"} & one.keys():
        return all(len(text) <= -(-MAX_FILE_BYTES // 3) * 4 for text in one.values())
    if isinstance(one, dict) and "items" in one:
        lengths = [len(item) for item in taken_in(one)]
        few = len(lengths) <= MAX_TAKEN and sum(lengths) <= MAX_TAKEN_CHARACTERS
        return few and max(lengths, default=0) <= MAX_ITEM_CHARACTERS
    return all(len(text) <= max_characters for text in texts_in(one))


def texts_in(one: Input) -> list[str]:
    """The texts of an input; words joined by spaces, items by commas."""
    if isinstance(one, str):
        return [one]
    if "row" in one:
        return ["" if cell is None else str(cell) for cell in cells_of(one).values()]
    if "items" in one:
        return [", ".join(taken_in(one))]
    return [" ".join(cell) if isinstance(cell, list) else str(cell) for cell in one.values()]


def shown(one: Input, most: int = 200) -> str:
    """An input in a line, for people."""
    if isinstance(one, dict) and {"image", "audio"} & one.keys():
        ((name, text),) = one.items()
        return f"{name} of {len(text) * 3 // 4:,} bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if isinstance(one, dict) and "row" in one:
        return ", ".join(f"{name} {cell}" for name, cell in cells_of(one).items())[:most]
    texts = texts_in(one)
    return " | ".join(text[: most // len(texts)] for text in texts)
