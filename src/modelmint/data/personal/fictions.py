"""How a stand-in of each kind is made: drawn from keyed dice, in the shape of the value that it stands for."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from modelmint.data.personal import names
from modelmint.data.personal.dates import DATE, MONTHS, when

_HAN = re.compile("[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile("[0-9]")
_MAX_SHIFT_DAYS = 180
_CHINA_MOBILE = re.compile("(?P<country>86|0086)?1[3-9][0-9]{9}")
_CHINA_LANDLINE = re.compile("(?:(?:00)?860?|0)(?P<area>10|2[0-9]|[3-9][0-9]{2})(?P<line>[2-8][0-9]{6,7})")
_BRITISH = re.compile("(?P<country>44|440|0)(?P<line>7[0-9]{9}|20[378][0-9]{7})")
_AMERICAN = re.compile("(?P<country>1|001|)[2-9][0-9]{2}[0-9]{7}(?P<more>[0-9]{0,6})")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Dice:
    """An endless stream of choices drawn from a key and a message."""

    def __init__(self, key: bytes, message: str) -> None:
        self._key, self._message, self._num_drawn, self._pool = key, message.encode("utf-8", "replace"), 0, 0

    def pick(self, num: int) -> int:
        """One of 0 .. num - 1."""
        if self._pool < num << 64:
            counted = self._num_drawn.to_bytes(4, "big") + self._message
            self._pool = int.from_bytes(hmac.new(self._key, counted, hashlib.sha256).digest(), "big")
            self._num_drawn += 1
        self._pool, chosen = divmod(self._pool, num)
        return chosen

    def of(self, message: str) -> "Dice":
        """Other choices of the same key: a word of a name has its own."""
        return Dice(self._key, message)

    def one(self, options: Sequence[str]) -> str:
        """One of some strings."""
        return options[self.pick(len(options))]

    def digits(self, num: int) -> str:
        """`num` decimal digits."""
        return "".join(str(self.pick(10)) for _ in range(num))


def shaped(value: str, dice: Dice) -> str:
    """Digits for digits and letters for letters; the rest as it is."""
    return "".join(_like(letter, dice) for letter in value)


def _like(letter: str, dice: Dice) -> str:
    if letter.isdigit():
        return str(dice.pick(10))
    if letter.isascii() and letter.isalpha():
        return chr(ord("a" if letter.islower() else "A") + dice.pick(26))
    return dice.one(names.GIVEN) if _HAN.match(letter) else letter


def _poured(value: str, digits: str) -> str:
    """The digits in the places of those of the value; what is left over is cut off."""
    rest = iter(digits)
    return _DIGIT.sub(lambda found: next(rest, found.group()), value)


def _person(value: str, dice: Dice) -> str:
    """Word by word, so that ``Ann Lee`` and ``Ms Lee`` stay one person; a Chinese name keeps its length."""
    if not _HAN.search(value):
        return _WORD.sub(lambda found: _name_word(found.group(), dice), value)
    plain = next((value[: -len(title)] for title in names.TITLES if value.endswith(title) and value != title), value)
    long = 2 if plain[:2] in names.COMPOUND_SURNAMES and len(plain) > 2 else 1
    surname = dice.of(f"surname:{plain[:long]}").one(names.COMPOUND_SURNAMES if long == 2 else names.SURNAMES)
    given = dice.of(f"given:{plain}")
    return surname + "".join(given.one(names.GIVEN) for _ in plain[long:]) + value[len(plain) :]


def _name_word(word: str, dice: Dice) -> str:
    if word.casefold() in names.PARTICLES:
        return word
    own = dice.of(f"name:{word.casefold()}")
    made = chr(65 + own.pick(26)) if len(word) == 1 else own.one(names.ENGLISH)
    while made.casefold() == word.casefold():
        made = own.one(names.ENGLISH) if len(word) > 1 else chr(65 + own.pick(26))
    return made.lower() if word.islower() else made.upper() if word.isupper() else made


def _place(value: str, dice: Dice) -> str:
    if not _HAN.search(value):
        return _cased(dice.one(names.TOWNS), value)
    ending = value[-1] if value[-1] in "省市区县镇乡村路州国" else "市"
    return dice.one(names.CHINESE_TOWNS) + (ending if len(value) > 2 else "")


def _organisation(value: str, dice: Dice) -> str:
    if _HAN.search(value):
        return dice.one(names.CHINESE_TOWNS) + dice.one(names.CHINESE_FIRMS)
    return _cased(f"{dice.one(names.ENGLISH)} {dice.one(names.FIRMS)}", value)


def _cased(made: str, value: str) -> str:
    return made.lower() if value.islower() else made


def _email(_value: str, dice: Dice) -> str:
    return f"{dice.one(names.ENGLISH)}.{dice.one(names.ENGLISH)}{dice.pick(1000)}@example.com".lower()


def _phone(value: str, dice: Dice) -> str:
    """A number of a range that is set aside or never given out, with the punctuation of this one."""
    digits = "".join(_DIGIT.findall(value))
    if found := _CHINA_MOBILE.fullmatch(digits) if not value.startswith("+") or digits.startswith("86") else None:
        made = (found["country"] or "") + "154" + dice.digits(8)
    elif found := _CHINA_LANDLINE.fullmatch(digits):
        ahead = digits[: found.start("area")]
        made = ahead + dice.digits(len(found["area"])) + "1" + dice.digits(len(found["line"]) - 1)
    elif found := _BRITISH.fullmatch(digits):
        made = found["country"] + ("7700900" if found["line"][0] == "7" else "2079460") + dice.digits(3)
    elif digits[:3] in {"400", "800"} and len(digits) == 10:
        made = digits[:3] + "000" + dice.digits(4)
    elif found := _AMERICAN.fullmatch(digits) if not value.startswith("+") or digits.startswith("1") else None:
        made = f"{found['country']}{2 + dice.pick(8)}{dice.digits(2)}55501{dice.digits(2 + len(found['more']))}"
    elif value.startswith("+"):
        made = digits[:2] + "0" + dice.digits(max(len(digits) - 3, 0))
    else:
        made = ("0" if digits.startswith("0") else "") + "55501" + dice.digits(len(digits))
    return _poured(value, made)


def _identity(value: str, dice: Dice) -> str:
    from stdnum.iso7064 import mod_11_2

    plain = re.sub("[ -]", "", value)
    born = (date(1950, 1, 1) + timedelta(days=dice.pick(20_000))).strftime("%Y%m%d")
    if re.fullmatch("[0-9]{17}[0-9Xx]", plain):
        body = "990" + dice.digits(3) + born + dice.digits(3)
        rest = iter(body + str(mod_11_2.calc_check_digit(body)))
        return re.sub("[0-9Xx]", lambda _: next(rest), value)
    if re.fullmatch("[0-9]{15}", plain):
        return _poured(value, "990" + dice.digits(3) + born[2:] + dice.digits(3))
    if re.fullmatch("[0-9]{9}", plain) and len(value) in {9, 11}:
        return _poured(value, f"9{dice.digits(2)}{10 + dice.pick(40)}{dice.digits(4)}")
    return _poured(shaped(value, dice), "000" + dice.digits(len(plain)))


def _card(value: str, dice: Dice) -> str:
    from stdnum import luhn

    body = "999999" + dice.digits(len(_DIGIT.findall(value)) - 7)
    return _poured(value, body + str(luhn.calc_check_digit(body)))


def _iban(value: str, dice: Dice) -> str:
    plain = re.sub("[^0-9A-Za-z]", "", value).upper()
    bank = "".join("TEST"[at] if letter.isalpha() else "0" for at, letter in enumerate(plain[4:8]))
    body = bank + shaped(plain[8:], dice)
    number = "".join(str(int(letter, 36)) for letter in f"{body}{plain[:2]}00")
    rest = iter(f"{plain[:2]}{98 - int(number) % 97:02d}{body}")
    return re.sub("[0-9A-Za-z]", lambda _: next(rest), value)


def _plate(value: str, dice: Dice) -> str:
    if _HAN.match(value):
        return dice.one(names.PLATE_PROVINCES) + "I" + shaped(value[2:], dice)
    return shaped(value, dice)


def _address(value: str, dice: Dice) -> str:
    if not any(letter.isalpha() for letter in value):
        return shaped(value, dice)
    if _HAN.search(value):
        return f"{dice.one(names.CHINESE_TOWNS)}市{dice.one(names.CHINESE_TOWNS)}区{dice.one(names.CHINESE_TOWNS)}路{1 + dice.pick(999)}号"
    return f"{1 + dice.pick(999)} {dice.one(names.ENGLISH)} {dice.one(names.STREETS)}, {dice.one(names.TOWNS)}"


def _ip(value: str, dice: Dice) -> str:
    if ":" in value:
        return "2001:db8:" + ":".join(f"{dice.pick(0xFFFF) + 1:x}" for _ in range(6))
    return f"198.{18 + dice.pick(2)}.{dice.pick(256)}.{1 + dice.pick(254)}"


def _url(_value: str, dice: Dice) -> str:
    return f"https://example.com/{shaped('aaaaaaaa', dice)}"


def _date(value: str, dice: Dice) -> str:
    """Another day, at most half a year off, written the same way."""
    match = DATE.search(value)
    day = when(match) if match else None
    if match is None or day is None:
        return _weekday(value, dice)
    moved = day + timedelta(days=(1 + dice.pick(_MAX_SHIFT_DAYS)) * (1 - 2 * dice.pick(2)))
    edits = []
    for name, part in match.groupdict().items():
        if part and name[0] in "ymdab":
            number = _date_part(name, match.groupdict(), moved)
            edits.append(
                (*match.span(name), _month_like(part, number) if not part.isdigit() else _padded(part, number))
            )
    for start, end, written in sorted(edits, reverse=True):
        value = value[:start] + written + value[end:]
    return value


def _date_part(name: str, parts: Mapping[str, str | None], day: date) -> int:
    if name[0] in "ab":  # numbers alone: the month stands first where it can
        return day.month if (name[0] == "a") == (int(parts["a2"] or 0) <= 12) else day.day
    return {"y": day.year, "m": day.month, "d": day.day}[name[0]]


def _weekday(value: str, dice: Dice) -> str:
    if _HAN.search(value):
        return value[:-1] + dice.one("一二三四五六日")
    return _cased(dice.one(_WEEKDAYS), value)


def _padded(part: str, number: int) -> str:
    return str(number % 100 if len(part) == 2 and number > 99 else number).zfill(len(part))


def _month_like(part: str, month: int) -> str:
    name = MONTHS[month - 1] if len(part) > 3 else MONTHS[month - 1][:3]
    return name if part.islower() else name.upper() if part.isupper() else name.capitalize()


def _year(value: str, dice: Dice) -> str:
    return str(int(value) + (1 + dice.pick(3)) * (1 - 2 * dice.pick(2)))


def _age(value: str, dice: Dice) -> str:
    return str(max(1, int(value) + (1 + dice.pick(4)) * (1 - 2 * dice.pick(2))))


def _uscc(value: str, dice: Dice) -> str:
    from stdnum.cn import uscc

    body = "91990000" + dice.digits(9)
    return body + str(uscc.calc_check_digit(body)) if len(value) == 18 else shaped(value, dice)


def _nobody(num_zeros: int) -> Callable[[str, Dice], str]:
    return lambda value, dice: _poured(shaped(value, dice), "0" * num_zeros + dice.digits(len(value)))


MAKERS: Mapping[str, Callable[[str, Dice], str]] = {
    "person": _person, "place": _place, "organisation": _organisation, "email": _email, "phone": _phone,
    "id": _identity, "card": _card, "iban": _iban, "plate": _plate, "address": _address, "ip": _ip, "url": _url,
    "date": _date, "date_of_birth": _date, "year": _year, "age": _age, "uscc": _uscc, "passport": _nobody(2),
    "account": _nobody(3),
}  # fmt: skip
"""By kind; any other is `shaped`."""
