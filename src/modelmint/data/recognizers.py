"""Where personal data stands in a text: e-mail, telephone, identity card, bank card, IBAN.

Patterns find candidates and checksums decide. No pattern relies on word boundaries: Chinese has none.
Not found: names, addresses, obfuscated forms ("john at example dot com"), 15-digit identity cards (no checksum).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from modelmint.data.phones import phones

KINDS = ("iban", "id", "card", "email", "phone")
"""In the order in which one wins over another on the same letters."""

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}"
    r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_CHINA_ID = re.compile(r"(?<![0-9])[1-9][0-9]{5}([ -]?)[0-9]{8}\1[0-9]{3}[0-9Xx](?![0-9])")
_PROVINCE = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_SSN = re.compile(r"(?<![0-9-])(?!000|666|9)[0-9]{3}([ -])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9]|-[0-9])")
_BARE_SSN = re.compile(
    r"(?:ssn|social security(?: number| no)?)[^0-9]{0,12}"
    r"(?!000|666|9)([0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4})(?![0-9])",
    re.I,
)
_CARD = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{13,19}|[0-9]{3,6}(?:([ -])[0-9]{3,7})(?:\1[0-9]{2,7}){1,4})(?![0-9])")
# First digits and lengths: Visa, Mastercard, American Express, Diners, Discover, JCB (two), UnionPay, Maestro.
_CARD_NETWORKS = tuple(
    (re.compile(begins), lengths)
    for begins, lengths in (
        ("4", {13, 16, 19}),
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),
        ("3[47]", {15}),
        ("30[0-59]|3[689]", {14, 16, 19}),
        ("6011|64[4-9]|65", {16, 19}),
        ("352[89]|35[3-8]", {16, 19}),
        ("2131|1800", {15}),
        ("62|81|9558", set(range(16, 20))),
        ("5018|5020|5038|5893|6304|6759|676[1-3]", set(range(13, 20))),
    )
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){11,30}")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True, kw_only=True, order=True)
class Span:
    """Personal data at ``text[start:end]``."""

    start: int
    end: int
    kind: str


def recognize(text: str, kinds: Sequence[str] = KINDS, regions: Sequence[str] = ("US", "GB", "CN")) -> list[Span]:
    """The personal data in a text, in order and without overlap.

    Args:
        kinds: some of `KINDS`.
        regions: where telephone numbers without a country code may be from (ISO 3166 codes).
    """
    plain = text if text.isascii() else text.translate(_FULL_WIDTH)
    num_digits = sum(map(plain.count, "0123456789"))
    finders: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
        "iban": _ibans, "id": _identities, "card": _cards, "email": _emails, "phone": partial(phones, regions=regions),
    }  # fmt: skip
    spans: list[Span] = []
    for kind in KINDS:
        if kind not in kinds or ("@" not in plain if kind == "email" else num_digits < 7):
            continue
        for start, end in finders[kind](plain):
            if all(end <= span.start or start >= span.end for span in spans):
                spans.append(Span(start=start, end=end, kind=kind))
    return sorted(spans)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _EMAIL.finditer(text))


def _identities(text: str) -> Iterator[tuple[int, int]]:
    for match in _CHINA_ID.finditer(text):
        if _is_china_id(re.sub("[ -]", "", match.group()).upper()):
            yield match.span()
    yield from (match.span() for match in _SSN.finditer(text))
    yield from (match.span(1) for match in _BARE_SSN.finditer(text))


def _is_china_id(number: str) -> bool:
    """Province, birth date and check digit. (`stdnum.cn.ric` wants the county on its list too: it refuses old ones.)"""
    from stdnum.iso7064 import mod_11_2

    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return born.year >= 1880 and _PROVINCE.match(number) is not None and bool(mod_11_2.is_valid(number))


def _cards(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        for end in _ends(match.group()):
            digits = re.sub("[ -]", "", match.group()[:end])
            if _is_card_length(digits) and luhn.is_valid(digits):
                yield match.start(), match.start() + end
                break


def _ends(candidate: str) -> list[int]:
    """Where a candidate may end: after each of its groups, the longest first."""
    return [len(candidate), *reversed([match.start() for match in re.finditer("[ -]", candidate)])]


def _is_card_length(digits: str) -> bool:
    return any(len(digits) in lengths and begins.match(digits) for begins, lengths in _CARD_NETWORKS)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        found = match.group()
        for end in range(len(found), 14, -1):
            after = text[match.start() + end : match.start() + end + 1]
            if found[end - 1] != " " and not (after.isascii() and after.isalnum()) and iban.is_valid(found[:end]):
                yield match.start(), match.start() + end
                break
