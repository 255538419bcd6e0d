"""Numbers that a state gives a person: identity cards, social security, health and tax numbers, driving licences.

A number counts by its check digits (python-stdnum), and where those are weak by the words around it as well.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

from modelmint.data.personal.contexts import Found, near, words

_CHINA_ID = re.compile(r"(?<![0-9])[1-9][0-9]{5}([ -]?)[0-9]{8}\1[0-9]{3}[0-9Xx](?![0-9])")
_OLD_CHINA_ID = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{14}(?![0-9A-Za-z])")
_PROVINCE = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_CHINA_SAID = words("身份证", "身份證", "证件", "證件", "居民证", r"\bid\b", "identity", "shenfenzheng")
_SSN = re.compile(r"(?<![0-9-])(?!000|666|9)[0-9]{3}([ -])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9]|-[0-9])")
_BARE_SSN = re.compile(
    r"(?:ssn|social security(?: number| no)?)[^0-9]{0,12}"
    r"(?!000|666|9)([0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4})(?![0-9])",
    re.IGNORECASE,
)
_LICENCE = re.compile(
    r"(?:driv(?:er'?s?'?|ing) licen[cs]e|驾驶证|驾照|駕照)(?: ?(?:number|no\.?|id|号码?|编号))?"
    r"[\s:：#]{0,3}(?:is|was|为|是)?[\s:：#]{0,3}(?P<number>[A-Z0-9](?:[ -]?[A-Z0-9]){4,19})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_USCC = re.compile(r"(?<![0-9A-Za-z])[1-9A-Y][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])")
_USCC_SAID = words("信用代码", "信用代碼", "uscc", "credit code", "税号", "纳税人")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """One country's number: its look, its check (a module of python-stdnum or a function), and words that say it."""

    look: str
    check: str | Callable[[str], bool]
    said: str = ""
    """Words of context, in lower case, alternatives of a regular expression."""
    alone: float = 0.0
    """The score without such words; 0 where the number could be anything."""


def identities(text: str) -> Iterator[Found]:
    """China (18 and 15 digits), the United States, and the schemes of `_SCHEMES`; driving licences after the word."""
    for match in _CHINA_ID.finditer(text):
        if _is_china_id(re.sub("[ -]", "", match.group()).upper()):
            yield *match.span(), 1.0
    for match in _OLD_CHINA_ID.finditer(text):
        if _is_old_china_id(match.group()) and near(text, *match.span(), _CHINA_SAID):
            yield *match.span(), 0.95
    yield from ((*match.span(), 0.9) for match in _SSN.finditer(text))
    lower = text.lower()
    if "ssn" in lower or "social security" in lower:
        yield from ((*match.span(1), 0.95) for match in _BARE_SSN.finditer(text))
    yield from _of_schemes(text, lower)
    for match in _LICENCE.finditer(text) if "licen" in lower or "驾" in lower or "駕" in lower else ():
        if sum(letter.isdigit() for letter in match["number"]) >= 4:
            yield *match.span("number"), 0.96


def organisations(text: str) -> Iterator[Found]:
    """Chinese unified social credit codes (GB 32100-2015) by their check character, or after a word that says so."""
    from stdnum.cn import uscc

    for match in _USCC.finditer(text):
        if uscc.is_valid(match.group()):
            yield *match.span(), 1.0
        elif near(text, *match.span(), _USCC_SAID, after=0):
            yield *match.span(), 0.7


def _is_china_id(number: str) -> bool:
    """Province, birth date and check digit. (`stdnum.cn.ric` wants the county on its list too: it refuses old ones.)"""
    from stdnum.iso7064 import mod_11_2

    return _is_born(number[6:14]) and _PROVINCE.match(number) is not None and bool(mod_11_2.is_valid(number))


def _is_old_china_id(number: str) -> bool:
    return _PROVINCE.match(number) is not None and _is_born(f"19{number[6:12]}")


def _is_born(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).year >= 1880
    except ValueError:
        return False


def _hong_kong(number: str) -> bool:
    letters, digits, check = number[:-7], number[-7:-1], number[-1]
    values = [36] * (2 - len(letters)) + [ord(letter) - 55 for letter in letters] + [int(digit) for digit in digits]
    total = sum(weight * value for weight, value in zip(range(9, 1, -1), values, strict=True))
    return (total + (10 if check == "A" else int(check))) % 11 == 0


def _taiwan(number: str) -> bool:
    first = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    digits = [first // 10, first % 10, *(int(digit) for digit in number[1:])]
    return (
        sum(weight * digit for weight, digit in zip((1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), digits, strict=True)) % 10 == 0
    )


def _singapore(number: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip((2, 7, 6, 5, 4, 3, 2), number[1:8], strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    letters = {"S": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
    table = letters[{"T": "S", "G": "F"}.get(number[0], number[0])]
    return (table[10 - total % 11] if number[0] == "M" else table[total % 11]) == number[8]


def _any(number: str) -> bool:
    return number != ""


_SCHEMES = (
    Scheme(look=r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
           check=_any, said=r"national insurance|\bnino\b|\bni (?:number|no)", alone=0.6),
    Scheme(look="[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", check="gb.nhs", said=r"\bnhs\b"),
    Scheme(look="[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", check="ca.sin", said=r"\bsin\b|social insurance"),
    Scheme(look="9[0-9]{2}-[0-9]{2}-[0-9]{4}", check="us.itin", said=r"\bitin\b|taxpayer", alone=0.6),
    Scheme(look="[0-9]{4} ?[0-9]{4} ?[0-9]{4}", check="in_.aadhaar", said="aadhaar|aadhar|uidai"),
    Scheme(look="[A-Z]{5}[0-9]{4}[A-Z]", check="in_.pan", said=r"\bpan\b|permanent account", alone=0.6),
    Scheme(look="[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", check="de.idnr", said=r"steuer|\bidnr\b|tax id"),
    Scheme(look="[0-9]{8}-?[A-Z]", check="es.dni", said=r"\bdni\b|\bnif\b", alone=0.7),
    Scheme(look="[XYZ]-?[0-9]{7}-?[A-Z]", check="es.nie", said=r"\bnie\b", alone=0.7),
    Scheme(look="[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", check="it.codicefiscale",
           said="codice fiscale", alone=0.95),
    Scheme(look="[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", check="fr.nir",
           said=r"s[ée]curit[ée] sociale|\bnir\b|\binsee\b", alone=0.8),
    Scheme(look=r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", check="br.cpf", said=r"\bcpf\b", alone=0.9),
    Scheme(look="[0-9]{11}", check="br.cpf", said=r"\bcpf\b"),
    Scheme(look="[0-9]{9}", check="nl.bsn", said=r"\bbsn\b|burgerservice"),
    Scheme(look="[0-9]{11}", check="pl.pesel", said="pesel"),
    Scheme(look="(?:19|20)?[0-9]{6}[-+][0-9]{4}", check="se.personnummer", said="personnummer", alone=0.8),
    Scheme(look="[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Z]", check="fi.hetu", said="hetu|henkil", alone=0.9),
    Scheme(look="[0-9]{6}-?[0-9]{4}", check="dk.cpr", said=r"\bcpr\b"),
    Scheme(look="[0-9]{6} ?[0-9]{5}", check="no.fodselsnummer", said="f[øo]dselsnummer|personnummer"),
    Scheme(look="[0-9]{6}-[0-9]{7}", check="kr.rrn", said=r"\brrn\b|주민등록", alone=0.9),
    Scheme(look=r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", check="be.nn", said="rijksregister", alone=0.9),
    Scheme(look="[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}", check="au.tfn", said=r"\btfn\b|tax file"),
    Scheme(look="[0-9]{13}", check="za.idnr", said="id number|identity number"),
    Scheme(look="[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]", check="mx.curp", said=r"\bcurp\b", alone=0.95),
    Scheme(look="[0-9]{7}[A-W][A-IW]?", check="ie.pps", said=r"\bpps\b|\bppsn\b"),
    Scheme(look="[0-9]{11}", check="tr.tckimlik", said="kimlik"),
    Scheme(look=r"[A-Z]{1,2}[0-9]{6}\([0-9A]\)", check=_hong_kong, said="hkid|身份證|身份证", alone=0.9),
    Scheme(look="[A-Z][1289][0-9]{8}", check=_taiwan, said="身份證|身分證|身份证", alone=0.7),
    Scheme(look="[STFGM][0-9]{7}[A-Z]", check=_singapore, said=r"nric|\bfin\b", alone=0.8),
)  # fmt: skip
"""Beside China and the United States. A number under which none of the words stands counts by `alone`."""


_WORDS = (
    "insurance", "nino", "ni n", "nhs", "sin", "itin", "taxpayer", "aadha", "uidai", "pan", "permanent acc", "steuer", "idnr", "tax id",
    "dni", "nif", "nie", "codice", "curit", "nir", "insee", "cpf", "bsn", "burgerservice", "pesel", "personnummer",
    "hetu", "henkil", "cpr", "dselsnummer", "rrn", "주민", "rijks", "tfn", "tax file", "id number", "identity number",
    "curp", "pps", "kimlik", "hkid", "身份", "身分", "nric", "fin",
)  # fmt: skip
"""One of these stands in every text in which a scheme's words do: a quick look before the expressions."""


@cache
def _compiled() -> tuple[re.Pattern[str], tuple[tuple[Scheme, re.Pattern[str], re.Pattern[str]], ...]]:
    """Any look that counts alone, and each scheme's own look and words."""
    alone = re.compile(_bounded("|".join(scheme.look for scheme in _SCHEMES if scheme.alone)))
    return alone, tuple((scheme, re.compile(_bounded(scheme.look)), words(scheme.said)) for scheme in _SCHEMES)


def _bounded(look: str) -> str:
    return rf"(?<![0-9A-Za-z.-])(?:{look})(?![0-9A-Za-z]|[.-][0-9])"


def _of_schemes(text: str, lower: str) -> Iterator[Found]:
    any_alone, each = _compiled()
    said, alone = _says_a_scheme(lower), any_alone.search(text) is not None
    if not said and not alone:
        return
    for scheme, look, own in each:
        if not ((said and own.search(text)) or (alone and scheme.alone)):
            continue
        for match in look.finditer(text):
            score = 0.95 if said and near(text, *match.span(), own) else scheme.alone
            if score and _passes(scheme.check, match.group()):
                yield *match.span(), score


def _says_a_scheme(lower: str) -> bool:
    for word in _WORDS:  # noqa: SIM110  # `any` takes twice as long, and this runs on every text with a number
        if word in lower:
            return True
    return False


def _passes(check: str | Callable[[str], bool], number: str) -> bool:
    if callable(check):
        return check(re.sub("[ ()-]", "", number))
    return bool(importlib.import_module(f"stdnum.{check}").is_valid(number))
