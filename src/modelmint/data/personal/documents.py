"""Papers and number plates: passports, travel permits, vehicles."""

import re
from collections.abc import Iterator

from modelmint.data.personal.contexts import Found, near, words

# Ordinary E, EA-EZ and G, diplomatic and service D, S, P (with E), Hong Kong H, Macau M, permits C and W, Taiwan T.
_CHINA_PASSPORT = re.compile(
    r"(?<![A-Za-z0-9])(?:[EGHMTK][0-9]{8}|[EDSPCWHM][A-HJ-NP-Z][0-9]{7}|[DSPCW][0-9]{7,8})(?![A-Za-z0-9])"
)
_ANY_PASSPORT = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,2} ?[0-9]{6,8}|[0-9]{8,9})(?![A-Za-z0-9-])")
_PASSPORT = words("passport", "travel document", "护照", "通行证", "旅行证", "護照", "通行證", "回乡证", "台胞证")
_PLATE_CN = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-HJ-NP-Z] ?[·•．.-]? ?"
    r"(?P<serial>[A-HJ-NP-Z0-9]{4}(?:[A-HJ-NP-Z0-9]{1,2}|[挂学警港澳使领]))(?![A-Za-z0-9])"
)
_POLICE_PLATE_CN = re.compile(
    r"(?:WJ[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]?)[ ·•-]?[0-9]{4}[0-9XBTSHJD](?![A-Za-z0-9])"
)
_VEHICLE = words("车牌", "牌照", "号牌", "车号", "车辆", "车主", "違", "违停", r"\bplate", "vehicle")
_PLATE_SAID = re.compile("[Pp]late|PLATE|[Rr]eg|REG")
_PLATE = re.compile(
    r"(?i:licen[cs]e plate|number ?plate|plate (?:number|no\.?|#)|(?:vehicle|car) reg(?:istration|\.)?|plate(?= (?:is|reads|was) ))"
    r"(?: (?i:number|no\.?))?(?:[ :#]{0,3}(?i:is|was|reads?)?[ :#\"']{1,3})"
    r"(?P<plate>[A-Z0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,2})(?![A-Za-z0-9])"
)  # fmt: skip


def passports(text: str) -> Iterator[Found]:
    """Numbers of passports and of permits to travel, where a word says so; the Chinese form alone scores low."""
    said = _PASSPORT.search(text) is not None
    for match in _CHINA_PASSPORT.finditer(text):
        yield *match.span(), 0.95 if said and near(text, *match.span(), _PASSPORT) else 0.4
    if said:
        for match in _ANY_PASSPORT.finditer(text):
            if near(text, *match.span(), _PASSPORT, after=0):
                yield *match.span(), 0.85


def plates(text: str) -> Iterator[Found]:
    """Chinese number plates (five places, six of new-energy vehicles, GA 36-2018), others after a word alone."""
    if not text.isascii():
        for match in _PLATE_CN.finditer(text):
            sure = any(letter.isdigit() for letter in match["serial"]) or near(text, *match.span(), _VEHICLE)
            yield *match.span(), 0.9 if sure else 0.3
    if "WJ" in text:
        yield from ((*match.span(), 0.9) for match in _POLICE_PLATE_CN.finditer(text))
    for match in _PLATE.finditer(text) if _PLATE_SAID.search(text) else ():
        if any(letter.isdigit() for letter in match["plate"]):
            yield *match.span("plate"), 0.85
