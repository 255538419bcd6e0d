"""Numbers that money moves by: payment cards, IBANs, bank accounts."""

import re
from collections.abc import Iterator

from modelmint.data.personal.contexts import Found, near, words

_CARD = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{12,19}|[0-9]{3,6}(?:([ -])[0-9]{3,7})(?:\1[0-9]{2,7}){1,4})(?![0-9])")
_SAID = words(r"\bcards?\b", r"\bcc\b", "credit", "debit", "visa", "master ?card", "amex", "卡", "银联", "unionpay")
# First digits and lengths: Visa, Mastercard, American Express, Diners, Discover, JCB (two), UnionPay, Maestro.
_NETWORKS = tuple(
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
ACCOUNT_WORDS = ("account", "acct", "a/c", "routing", "sort code", "aba", "账", "帐", "賬", "帳", "户头")
"""One of these stands before every account, in lower case."""
_ACCOUNT = re.compile(
    r"(?:account|acct\.?|a/c|routing|sort code|\baba|银行账[号户]|银行帐[号户]|账[号户]|帐[号户]|賬[號戶]|帳[號戶]|户头)"
    r"(?: (?:number|numbers|no\.?|num|code))?(?: (?:is|was|of|with))?[\s:：#.,]{0,4}(?:是|为|為)?\s{0,2}"
    r"(?P<number>[0-9](?:[ -]?[0-9]){5,24})(?![0-9A-Za-z])",
    re.IGNORECASE,
)


def cards(text: str) -> Iterator[Found]:
    """Payment cards: the check digit (Luhn, ISO/IEC 7812-1) and a known network, or a word that speaks of cards."""
    from stdnum import luhn

    for match in _CARD.finditer(text):
        said: bool | None = None
        for end in _ends(match.group()):
            digits = re.sub("[ -]", "", match.group()[:end])
            if not 12 <= len(digits) <= 19 or not luhn.is_valid(digits):
                continue
            known = any(len(digits) in lengths and begins.match(digits) for begins, lengths in _NETWORKS)
            said = near(text, *match.span(), _SAID) if said is None else said
            if known or said:
                yield match.start(), match.start() + end, 0.98 if said else 0.9
                break


def ibans(text: str) -> Iterator[Found]:
    """International bank account numbers, by their check digits (ISO 13616) and the country's length."""
    from stdnum import iban

    for match in _IBAN.finditer(text):
        found = match.group()
        for end in range(len(found), 14, -1):
            after = text[match.start() + end : match.start() + end + 1]
            if found[end - 1] != " " and not (after.isascii() and after.isalnum()) and iban.is_valid(found[:end]):
                yield match.start(), match.start() + end, 1.0
                break


def accounts(text: str) -> Iterator[Found]:
    """Bank accounts, routing numbers and sort codes: digits right after a word that says so."""
    yield from ((*match.span("number"), 0.8) for match in _ACCOUNT.finditer(text))


def _ends(candidate: str) -> list[int]:
    """Where a candidate may end: after each of its groups, the longest first."""
    return [len(candidate), *reversed([match.start() for match in re.finditer("[ -]", candidate)])]
