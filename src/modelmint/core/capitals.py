"""Which words have capitals: told beside the tokens to a base that reads capitals as small letters.

Where a name is looked for, a capital says much. A base without capitals that knows types of tokens (BERT's segments)
learns these as further ones.
"""

from collections.abc import Sequence

CAPITALS = "capitals_as_token_types"
"""The key in a model's config.json that says so, where it is true."""
NUM_TYPES = 4
"""0 no capital, 1 the first letter alone, 2 all letters, 3 some other ones."""


def capitals(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """(N,) the type of each token: that of the run of letters and digits in which it stands.

    Args:
        offsets: where each token stands in `text`, the end exclusive.
    """
    found: list[int] = []
    start = end = 0
    for first, last in offsets:
        if not start <= first < end:
            start, end = _run(text, first, last)
        found.append(_type(text[start:end]))
    return found


def _run(text: str, first: int, last: int) -> tuple[int, int]:
    """The run around a token; a token that is no letter or digit is a run of its own."""
    while first < last and text[first].isspace():  # some tokenizers count the blank before
        first += 1
    if first >= last or not text[first].isalnum():
        return first, last
    while first > 0 and text[first - 1].isalnum():
        first -= 1
    while last < len(text) and text[last].isalnum() and text[last - 1].isalnum():
        last += 1
    return first, last


def _type(run: str) -> int:
    if not any(letter.isupper() for letter in run):
        return 0
    if run[0].isupper() and not any(letter.isupper() for letter in run[1:]):
        return 1
    return 2 if run.upper() == run else 3
