"""Changed copies of rows, whatever form they have; each a function of its row's id, its number and the seed alone."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from modelmint.core.forms import Form
from modelmint.data.augmenting.audio_edits import AudioEdits, edit_audio
from modelmint.data.augmenting.image_edits import ImageEdits, edit_image
from modelmint.data.augmenting.text_edits import TextEdits, edit_text, edit_tokens
from modelmint.data.sources.extras import need_library

Row: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Row, Random], tuple[Row, str] | None]
"""The cells of a row that change, and the name of the change; None where nothing could be changed."""

LEFT_ALONE = {
    "text-generation": "rows are the very text to be learned; a changed copy would teach its mistakes",
    "question-answering": "an answer is found by its place in the context, which a change would move",
    "chat": "the assistant's words are what is learned; a changed copy would teach its mistakes",
    "preference": "which answer is better can hang on a single word",
    "recommendation": "a user who took something else is another user",
    "tabular-regression": "what a changed row should predict is not known",
}
"""Forms of which no copies are made, and why."""
_LABELLED = ("text-classification", "text-pair-classification", "multi-label-classification", "text-regression")
"""Of these what a text is labelled with stays true of a copy in which a few words are changed."""
_ASKED = {"text2text-generation": "text", "text-retrieval": "query"}
"""Of these only one text is changed; what is to be written or found stays as it is."""


@dataclass(frozen=True, kw_only=True)
class Edits:
    """How copies are changed, for each kind of content."""

    text: TextEdits = field(default_factory=TextEdits)
    image: ImageEdits = field(default_factory=ImageEdits)
    audio: AudioEdits = field(default_factory=AudioEdits)


def change_of(form: Form, edits: Edits) -> Change | None:
    """How rows of a form are changed; None where they are not.

    Raises:
        InputError: the library for images or recordings is not installed.
    """
    if form.task in _LABELLED:
        return lambda row, dice: _texts(row, form.texts, edits.text, dice)
    if form.task in _ASKED:
        return lambda row, dice: _texts(row, (_ASKED[form.task],), edits.text, dice)
    if form.task == "token-classification":
        return lambda row, dice: _tokens(row, edits.text, dice)
    if form.task == "image-classification":
        need_library("PIL", extra="media", what="changing images")
        return lambda row, dice: _bytes(row, "image", lambda cell: edit_image(cell, edits.image, dice))
    if form.task == "audio-classification":
        need_library("soundfile", extra="media", what="changing recordings")
        return lambda row, dice: _bytes(row, "audio", lambda cell: edit_audio(cell, edits.audio, dice))
    return None


def copy_of(row: Row, number: int, change: Change, *, seed: int) -> tuple[Row, str] | None:
    """The `number`-th copy of a row (from 1), with its `_row` and `_of`, and the name of the change."""
    changed = change(row, dice_of(row["_row"], number, seed))
    return None if changed is None else (as_copy(row, number, changed[0]), changed[1])


def as_copy(row: Row, number: int, cells: Mapping[str, Any]) -> Row:
    """A row that came from another."""
    return {**row, **cells, "_row": f"{row['_row']}~{number}", "_of": row["_row"]}


def dice_of(row: str, number: int, seed: int) -> Random:
    """Random numbers that belong to one copy."""
    digest = hashlib.blake2b(f"{seed}/{number}/{row}".encode("utf-8", "replace"), digest_size=8).digest()
    return Random(int.from_bytes(digest))  # noqa: S311  # which words change is no secret


def _texts(row: Row, names: tuple[str, ...], edits: TextEdits, dice: Random) -> tuple[Row, str] | None:
    """One of the texts changes: of a pair, the seed draws which."""
    for name in dice.sample(names, len(names)):
        changed = edit_text(row[name] or "", edits, dice)
        if changed:
            return {name: changed[0]}, changed[1]
    return None


def _tokens(row: Row, edits: TextEdits, dice: Random) -> tuple[Row, str] | None:
    if not row["tokens"] or len(row["tokens"]) != len(row["tags"] or ()):
        return None
    changed = edit_tokens(row["tokens"], row["tags"], edits, dice)
    return ({"tokens": changed[0], "tags": changed[1]}, changed[2]) if changed else None


def _bytes(row: Row, name: str, edit: Callable[[bytes], tuple[bytes, str] | None]) -> tuple[Row, str] | None:
    changed = edit(row[name]) if row[name] else None
    return ({name: changed[0]}, changed[1]) if changed else None
