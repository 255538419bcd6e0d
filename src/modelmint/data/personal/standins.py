"""Stand-ins: what is put in the place of personal data so that the text stays natural and equal things stay equal.

A stand-in is a function of the tenant's key (HMAC-SHA256), the kind and the value: the same value has the same stand-in
in every text and every run of a tenant, another tenant's is another, and without the key it cannot be found by trying
all values. It is realistic of its kind, and nobody's where a range is set aside for that: telephones of films (NANP 555-01xx,
Ofcom's drama numbers) or of ranges never given out, `example.com` (RFC 2606), 198.18.0.0/15 (RFC 2544), 2001:db8::/32
(RFC 3849), identity cards of a province 99, cards of the issuer 999999, Chinese plates of the unused letter I. Two values
may share a stand-in where a range is small.
"""

import hashlib
import hmac
import re

from modelmint.data.personal.fictions import MAKERS, Dice, shaped

HASH_CHARS = 12
MAX_REMEMBERED = 100_000
_TRIES = 8
_DIGIT = re.compile("[0-9]")


class StandIns:
    """Keyed stand-ins and hashes. Remembers some of them for speed; not thread-safe."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[tuple[str, str], str] = {}

    def hashed(self, kind: str, value: str) -> str:
        """``[EMAIL:3f2a9c01b7de]``: equal values (but for case and punctuation) stay equal."""
        message = f"{kind}:{same(kind, value)}".encode("utf-8", "replace")
        return f"[{kind.upper()}:{hmac.new(self._key, message, hashlib.sha256).hexdigest()[:HASH_CHARS]}]"

    def of(self, kind: str, value: str) -> str:
        """Another of the kind, in the shape in which this one is written; never the value itself."""
        if (kind, value) in self._known:
            return self._known[kind, value]
        made, plain = value, same(kind, value)
        for attempt in range(_TRIES):
            message = f"stand-in:{kind}:{attempt}:{plain}"
            made = MAKERS.get(kind, shaped)(value, Dice(self._key, message))
            if same(kind, made) != plain:
                break
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[kind, value] = made
        return made


def same(kind: str, value: str) -> str:
    """What two ways of writing one value share."""
    if kind == "phone":
        digits = "".join(_DIGIT.findall(value.lower().split("x")[0]))
        return re.sub("^(?:00)?86(?=1[3-9][0-9]{9}$)", "", digits)
    return "".join(letter for letter in value.casefold() if letter.isalnum() or letter in "@+.")
