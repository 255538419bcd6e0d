"""Days: birth dates (a word says so), other dates, years and ages."""

import re
from collections.abc import Iterator
from datetime import date

from modelmint.data.personal.contexts import BEFORE_CHARS, Found, near, words

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_TIME = r"(?:(?:[T ]|, | at )[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?: ?[ap]\.?m\b\.?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_YEAR = "(?:1[89]|20)[0-9]{2}"
DATE = re.compile(
    rf"(?<![0-9A-Za-z./-])(?:"
    rf"(?P<y1>{_YEAR})(?P<s1>[-/.])(?P<m1>[01]?[0-9])(?P=s1)(?P<d1>[0-3]?[0-9]){_TIME}(?![0-9]|[-/.][0-9])"
    rf"|(?P<a2>[0-3]?[0-9])(?P<s2>[-/.])(?P<b2>[0-3]?[0-9])(?P=s2)(?P<y2>{_YEAR}|[0-9]{{2}}){_TIME}(?![0-9]|[-/.][0-9])"
    rf"|(?P<d3>[0-3]?[0-9])(?:st|nd|rd|th)?(?: of)?[ -](?P<m3>{_MONTH})\b\.?(?:,?[ -](?P<y3>{_YEAR})\b)?{_TIME}"
    rf"|(?P<m4>{_MONTH})\b\.? (?P<d4>[0-3]?[0-9])(?:st|nd|rd|th)?\b(?!:)(?:,? (?P<y4>{_YEAR})\b)?{_TIME}"
    rf"|(?P<m5>{_MONTH})\b\.?,? (?P<y5>{_YEAR})\b"
    rf")"
    rf"|(?P<y6>(?<![0-9])(?:1[89]|20)?[0-9]{{2}}) ?年 ?(?P<m6>[01]?[0-9]) ?月(?: ?(?P<d6>[0-3]?[0-9]) ?[日号號])?"
    rf"|(?<![0-9])(?P<m7>[01]?[0-9]) ?月 ?(?P<d7>[0-3]?[0-9]) ?[日号號]",
    re.IGNORECASE,
)
_LIKELY = re.compile(rf"[0-9][-/.][0-9]{{1,2}}[-/.]|月|\b{_MONTH}\b", re.IGNORECASE)
_WEEKDAY = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|(?:星期|礼拜|禮拜)[一二三四五六日天]|(?<!一)周[一二三四五六日](?![年期])",
    re.IGNORECASE,
)
_BORN = words(r"\bborn\b", "birth", r"\bd\.?o\.?b\b", "出生", "生日", "生于", "生於", "诞生")
BIRTH_WORDS = ("born", "birth", "dob", "d.o.b", "o.b", "出生", "生日", "生于", "生於", "诞生")
"""One of these stands by every birth date, in lower case."""
_BARE_YEAR = re.compile(
    rf"(?:\b(?:in|during|since|from|until|till|by|before|after|circa|year|of|a|an|the|mid|early|late)[ -]|[（(,]\s?)"
    rf"(?P<year>{_YEAR})s?\b(?![.,]?[0-9%]| (?:dollars|people|users|rows|miles|years|times|words|km|kg|m|points|usd)\b)"
    rf"|(?P<said>(?<![0-9]){_YEAR}) ?年(?!代| ?[0-9])",
    re.IGNORECASE,
)
_AGE = re.compile(
    r"(?<![0-9.])(?P<n1>1?[0-9]{1,2})(?:[- ]years?[- ]old| ?y/o\b| ?yo\b| years? of age| ?周?岁| ?歲)"
    r"|\b(?:aged?|age of|turn(?:s|ed|ing)?|age[:：] ?|年龄[:：]?)(?: (?:is|of))? ?(?P<n2>1?[0-9]{1,2})(?![0-9.,]*[0-9%])\b(?! (?:days|minutes|hours|weeks))",
    re.IGNORECASE,
)


def birth_dates(text: str) -> Iterator[Found]:
    """Dates beside a word that speaks of birth."""
    after = 0  # of several dates behind the word, the first is the birth
    for match in DATE.finditer(text):
        if when(match) is not None:
            if near(text, *match.span(), _BORN, before=min(BEFORE_CHARS, match.start() - after), after=6):
                yield *match.span(), 0.95
            after = match.end()


def dates(text: str) -> Iterator[Found]:
    """Calendar dates with or without a time, months of a year, days of the week."""
    if _LIKELY.search(text):
        yield from ((*match.span(), 0.8) for match in DATE.finditer(text) if when(match) is not None)
    yield from ((*match.span(), 0.6) for match in _WEEKDAY.finditer(text))


def years(text: str) -> Iterator[Found]:
    """Years of four digits where a sentence gives them as a time."""
    for match in _BARE_YEAR.finditer(text):
        yield *match.span("year" if match["year"] else "said"), 0.6


def ages(text: str) -> Iterator[Found]:
    """Ages in years."""
    for match in _AGE.finditer(text):
        yield *match.span("n1" if match["n1"] else "n2"), 0.8


def when(match: re.Match[str]) -> date | None:
    """The day of a match of `DATE`, the first of its month or the year 2000 where it names none; None: no such day."""
    parts = match.groupdict()
    if parts["a2"]:
        first, second = int(parts["a2"]), int(parts["b2"])
        month, day = (first, second) if first <= 12 else (second, first)
        year = int(parts["y2"])
    else:
        month = next((_month(parts[f"m{at}"]) for at in (1, 3, 4, 5, 6, 7) if parts[f"m{at}"]), 1)
        day = next((int(parts[f"d{at}"]) for at in (1, 3, 4, 6, 7) if parts[f"d{at}"]), 1)
        year = next((int(parts[f"y{at}"]) for at in (1, 3, 4, 5, 6) if parts[f"y{at}"]), 2000)
    try:
        return date(year if year > 99 else 2000 + year if year < 40 else 1900 + year, month, day)
    except ValueError:
        return None


def _month(name: str) -> int:
    return (
        int(name)
        if name.isdigit()
        else 1 + next(at for at, month in enumerate(MONTHS) if month.startswith(name.lower()[:3]))
    )
