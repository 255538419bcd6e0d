"""Identifiers: a prefix that says what it is, then 80 random bits behind 40 bits of time, so that they sort by age."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u

PREFIX = {
    "dataset": "ds",
    "model": "mdl",
    "report": "rep",
    "run": "run",
    "prediction": "pred",
    "feedback": "fb",
    "usage": "use",
    "key": "key",
    "secret": "sec",
}


def new_id(noun: str) -> str:
    """A fresh identifier, e.g. ``new_id("run")`` -> ``run_01h8xgjh5k2m4n6p8q0r2s4t``."""
    number = (int(time.time()) & (2**40 - 1)) << 80 | secrets.randbits(80)
    digits = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(115, -1, -5))
    return f"{PREFIX[noun]}_{digits}"


def kind_of(identifier: str) -> str | None:
    """The noun that an identifier belongs to; None when its prefix is not ours."""
    prefix = identifier.partition("_")[0]
    return next((noun for noun, known in PREFIX.items() if known == prefix), None)
