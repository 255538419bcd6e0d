"""Tokenizers with fewer tokens that cut the texts they were made for as before, and every other text as well.

A token that such a text needs stays, and whatever it is made of: WordPiece takes the longest piece that it finds, a
unigram model the likeliest path, and BPE the merge of the lowest rank, so each takes the same again if nothing but
others was taken out. Single characters (or bytes) stay, and pieces that they do not make up, so that other texts are cut
finer where a token is gone.
"""

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from modelmint.core.errors import InputError
from modelmint.core.types import JSON

MAX_PAD_ID = 255
"""Some encoders count positions from the id of padding, so it stays as it is, where it is small."""
CJK = (("\u4e00", "\u9fff"), ("\u3400", "\u4dbf"), ("\U00020000", "\U0002ebef"), ("\uf900", "\ufaff"))
"""Of these the normalizer of BERT makes a word each, so that none goes on a word."""


def kept_tokens(tokenizer: JSON, used: Iterable[int], *, at_least: int = 0, pad_id: int = 0) -> list[int]:
    """The ids that stay, in order: those in `used`, what they need, and the first of the others until `at_least`.

    Args:
        tokenizer: what tokenizer.json says.

    Raises:
        InputError: its model is none of WordPiece, BPE and Unigram, or of a kind of BPE that is not known here.
    """
    model = tokenizer["model"]
    needed = _NEEDED.get(str(model.get("type")))
    if needed is None:
        raise _refused(f"got one of {model.get('type')}")
    always, parts = needed(tokenizer)
    kept = set(always) | {int(token["id"]) for token in tokenizer["added_tokens"]}
    if pad_id <= MAX_PAD_ID:
        kept |= set(range(pad_id + 1))
    for token_id in used:
        kept |= {token_id, *parts(token_id)}
    for token_id in sorted(_ids(model).values()):
        if len(kept) >= at_least:
            break
        kept |= {token_id, *parts(token_id)}
    return sorted(kept)


def with_tokens(tokenizer: JSON, kept: Sequence[int]) -> JSON:
    """tokenizer.json with these tokens alone, their ids being their places in `kept`."""
    new = {token_id: at for at, token_id in enumerate(kept)}
    found: JSON = json.loads(json.dumps(tokenizer))
    model = found["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [piece for at, piece in enumerate(model["vocab"]) if at in new]
        model["unk_id"] = new.get(model["unk_id"])
    else:
        model["vocab"] = {piece: new[at] for piece, at in sorted(model["vocab"].items(), key=_second) if at in new}
    if model["type"] == "BPE":
        pieces = model["vocab"]
        model["merges"] = [
            merge for merge in model["merges"] if all(one in pieces for one in (*_pair(merge), "".join(_pair(merge))))
        ]
    for token in found["added_tokens"]:
        token["id"] = new[token["id"]]
    if found.get("padding"):
        found["padding"]["pad_id"] = new[found["padding"]["pad_id"]]
    if found.get("post_processor"):
        found["post_processor"] = _template(found["post_processor"], new)
    return found


def _word_pieces(tokenizer: JSON) -> tuple[set[int], Callable[[int], Iterable[int]]]:
    model = tokenizer["model"]
    prefix = str(model.get("continuing_subword_prefix", "##"))
    splits_cjk = bool((tokenizer.get("normalizer") or {}).get("handle_chinese_chars"))
    single = {
        at
        for piece, at in model["vocab"].items()
        if len(piece.removeprefix(prefix)) == 1
        and not (splits_cjk and piece.startswith(prefix) and _is_cjk(piece.removeprefix(prefix)))
    }
    kept = {piece for piece, at in model["vocab"].items() if at in single}
    for piece in sorted(model["vocab"], key=len):
        if not (splits_cjk and len(piece.removeprefix(prefix)) == 1) and not _is_cut(piece, kept, prefix):
            kept.add(piece)
    return {model["vocab"][piece] for piece in kept} | {model["vocab"][model["unk_token"]]}, lambda _token_id: ()


def _is_cut(piece: str, pieces: Container[str], prefix: str) -> bool:
    """Whether these pieces make this one up, the longest being taken first."""
    mark = prefix if piece.startswith(prefix) else ""
    rest = piece.removeprefix(mark)
    while rest:
        size = next((size for size in range(len(rest), 0, -1) if mark + rest[:size] in pieces), 0)
        if not size:
            return False
        rest, mark = rest[size:], prefix
    return True


def _unigrams(tokenizer: JSON) -> tuple[set[int], Callable[[int], Iterable[int]]]:
    model = tokenizer["model"]
    vocabulary = model["vocab"]
    single = {piece for piece, _score in vocabulary if len(piece) == 1}
    always = {
        at
        for at, (piece, _score) in enumerate(vocabulary)
        if len(piece) == 1 or _is_byte(piece) or not single.issuperset(piece)
    }
    if model.get("unk_id") is not None:
        always.add(int(model["unk_id"]))
    # What an unknown character costs is reckoned from the worst score of all.
    return always | {min(range(len(vocabulary)), key=lambda at: vocabulary[at][1])}, lambda _token_id: ()


def _byte_pairs(tokenizer: JSON) -> tuple[set[int], Callable[[int], Iterable[int]]]:
    model = tokenizer["model"]
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise _refused("got a BPE that marks where in a word a piece stands")
    ids: Mapping[str, int] = model["vocab"]
    ranks = {_pair(merge): rank for rank, merge in enumerate(model["merges"])}
    always = {at for piece, at in ids.items() if len(piece) == 1 or _is_byte(piece)}
    if model.get("unk_token") in ids:
        always.add(ids[model["unk_token"]])
    pieces = {at: piece for piece, at in ids.items()}
    return always, lambda token_id: {ids[one] for one in _made_of(pieces.get(token_id, ""), ranks) if one in ids}


_NEEDED: dict[str, Callable[[JSON], tuple[set[int], Callable[[int], Iterable[int]]]]] = {
    "WordPiece": _word_pieces,
    "Unigram": _unigrams,
    "BPE": _byte_pairs,
}
"""Of each kind the tokens that always stay, and what a token is made of."""


def _made_of(piece: str, ranks: Mapping[tuple[str, str], int]) -> set[str]:
    """Every piece that the merges which make this one pass through."""
    parts, seen = list(piece), set(piece)
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        at = min(range(len(pairs)), key=lambda place: (ranks.get(pairs[place], len(ranks)), place))
        if pairs[at] not in ranks:
            break
        parts[at : at + 2] = ["".join(pairs[at])]
        seen.add(parts[at])
    return seen


def _ids(model: JSON) -> dict[str, int]:
    if model["type"] == "Unigram":
        return {piece: at for at, (piece, _score) in enumerate(model["vocab"])}
    return dict(model["vocab"])


def _template(processor: JSON, new: Mapping[int, int]) -> JSON:
    found = dict(processor)
    if found["type"] == "Sequence":
        found["processors"] = [_template(one, new) for one in found["processors"]]
    if found["type"] == "TemplateProcessing":
        found["special_tokens"] = {
            name: {**about, "ids": [new[at] for at in about["ids"]]} for name, about in found["special_tokens"].items()
        }
    for name in ("sep", "cls"):
        if isinstance(found.get(name), list):
            found[name] = [found[name][0], new[found[name][1]]]
    return found


def _pair(merge: Any) -> tuple[str, str]:
    one, other = merge.split(" ") if isinstance(merge, str) else merge
    return one, other


def _second(item: tuple[str, int]) -> int:
    return item[1]


def _is_byte(piece: str) -> bool:
    return len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")


def _is_cjk(character: str) -> bool:
    return any(first <= character <= last for first, last in CJK)


def _refused(given: str) -> InputError:
    return InputError(
        f"try: the vocabulary can be made smaller where the tokenizer is WordPiece, BPE or Unigram; {given}",
        parameter="try",
        remedy="Leave `vocabulary` out of compress.try for this model.",
    )
