"""Does the candidate read texts as the trained model does: its tokenizer part by part, and the token ids of every text?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelmint.core.inputs import Input, shown, words_of
from modelmint.core.types import JSON

FILE = "tokenizer.json"
PARTS = {
    "normalizer": "how it normalises texts",
    "pre_tokenizer": "how it cuts texts into words",
    "post_processor": "its template of special tokens",
    "added_tokens": "its special tokens",
    "truncation": "how it cuts long texts",
    "padding": "how it pads",
    "decoder": "how it writes tokens",
    "model": "its model of words",
}
NUM_SHOWN = 5
SHOWN_CHARS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """`differences` are sentences; `differing` says which texts have other token ids."""

    differences: list[str]
    differing: list[bool]
    examples: list[JSON]


def compare_reading(
    trained: Path, candidate: Path, texts: Sequence[Input], *, max_tokens: int, candidate_tokens: int
) -> Read:
    """Compare two folders' tokenizers, and the token ids that each gives to every text.

    Args:
        max_tokens, candidate_tokens: where each of the two cuts a text.
    """
    one, other = _open(trained, max_tokens), _open(candidate, candidate_tokens)
    mine, theirs = (_read(tokenizer, texts) for tokenizer in (one, other))
    differing = [first.ids != second.ids for first, second in zip(mine, theirs, strict=True)]
    examples = [
        {
            "text": shown(texts[at]),
            "trained": _near(mine[at], theirs[at]),
            "candidate": _near(theirs[at], mine[at]),
        }
        for at in sorted(_where(differing), key=lambda at: len(shown(texts[at])))[:NUM_SHOWN]
    ]
    differences = [f"the tokenizer differs in {said}" for said in _parts(trained, candidate)]
    if any(differing):
        first = next((one for one in examples if one["text"].strip()), examples[0])
        differences.append(
            f"the token ids differ on {sum(differing):,} of {len(texts):,} texts: "
            f"{first['text'][:SHOWN_CHARS]!r} is read as {first['candidate']}, by the trained model as {first['trained']}"
        )
    return Read(differences=differences, differing=differing, examples=examples)


def _read(tokenizer: Any, texts: Sequence[Input]) -> Any:
    if texts and not isinstance(texts[0], str) and "tokens" in texts[0]:
        return tokenizer.encode_batch([words_of(one) for one in texts], is_pretokenized=True)
    return tokenizer.encode_batch([one if isinstance(one, str) else tuple(one.values()) for one in texts])


def special_tokens(folder: Path) -> list[str]:
    """The special tokens of a folder's tokenizer."""
    return [str(token["content"]) for token in _json(folder).get("added_tokens") or () if token.get("special")]


def _open(folder: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / FILE))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _json(folder: Path) -> JSON:
    value: JSON = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return value


def _where(flags: Sequence[bool]) -> list[int]:
    return [at for at, flag in enumerate(flags) if flag]


def _near(one: Any, other: Any, around: int = 3) -> str:
    """The tokens about the first place where the ids of two encodings differ, with their ids where only those do."""
    shortest = min(len(one.ids), len(other.ids))
    at = next((place for place in range(shortest) if one.ids[place] != other.ids[place]), shortest)
    start, end = max(0, at - around), at + around + 1
    tokens = one.tokens
    if one.tokens == other.tokens:
        tokens = [f"{token}={number}" for token, number in zip(one.tokens, one.ids, strict=True)]
    shown = " ".join(tokens[start:end]) or "nothing"
    return f"{'… ' if start else ''}{shown}{' …' if end < len(tokens) else ''} ({len(tokens)} tokens)"


def _parts(trained: Path, candidate: Path) -> Iterator[str]:
    one, other = _json(trained), _json(candidate)
    for part, said in PARTS.items():
        mine, theirs = dict(_leaves(one.get(part), part)), dict(_leaves(other.get(part), part))
        places = [place for place in {**mine, **theirs} if mine.get(place) != theirs.get(place)]
        if places:
            shown = "; ".join(
                f"{place}: {_short(theirs.get(place))}, of the trained model {_short(mine.get(place))}"
                for place in places[:3]
            )
            more = f" and {len(places) - 3} more" if len(places) > 3 else ""
            yield f"{said} ({shown}{more})"
    yield from _vocabulary(one, other)


def _vocabulary(one: JSON, other: JSON) -> Iterator[str]:
    mine, theirs = _tokens(one), _tokens(other)
    missing = [token for token in mine if token not in theirs]
    added = [token for token in theirs if token not in mine]
    moved = [token for token in mine if token in theirs and mine[token] != theirs[token]]
    for found, what in ((missing, "are missing"), (added, "are new"), (moved, "have other ids")):
        if found:
            shown = ", ".join(repr(token) for token in found[:NUM_SHOWN])
            yield f"its vocabulary: {len(found):,} tokens {what}, such as {shown}"


def _tokens(tokenizer: JSON) -> dict[str, Any]:
    """Token -> id, or (id, score) of a unigram model."""
    vocabulary = (tokenizer.get("model") or {}).get("vocab") or {}
    if isinstance(vocabulary, Mapping):
        return dict(vocabulary)
    return {str(token): (at, score) for at, (token, score) in enumerate(vocabulary)}


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every value of a part by its place, but for the words of the vocabulary."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            if place == "model" and name in ("vocab", "merges"):
                if name == "merges":
                    yield f"{place}.{name}", json.dumps(inner)
                continue
            yield from _leaves(inner, f"{place}.{name}")
    elif isinstance(value, list):
        yield place, json.dumps(value, ensure_ascii=False, sort_keys=True)
    else:
        yield place, value


def _short(value: Any) -> str:
    shown = (
        "nothing" if value is None else json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    )
    return shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}…"
