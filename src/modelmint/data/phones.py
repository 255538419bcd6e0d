"""Telephone numbers, without mistaking order numbers for them."""

import re
from collections.abc import Iterator, Sequence

_MOBILE_CN = re.compile(r"(?<![0-9])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9](?:([ -]?)[0-9]{4}\1[0-9]{4})(?![0-9])")
_LANDLINE_CN = re.compile(
    r"(?<![0-9-])(?:\(0[1-9][0-9]{1,2}\) ?|0[1-9][0-9]{1,2}[- ])[2-8][0-9]{6,7}(?:[- ][0-9]{1,4})?(?![0-9-])"
)
_CALLED = re.compile(
    r"phone|mobile|\bcell|\btel\b|call|\bring\b|\btext me|sms|whats ?app|contact|reach|dial|fax|my number"
    r"|电话|手机|致电|拨打|联系|热线|座机|号码|短信|來電|電話|手機",
    re.I,
)
_COUNTED = re.compile(
    r"order|tracking|invoice|reference|\bref\b|ticket|case|account|parcel|shipment|serial|\bid\b|#"
    r"|\bno\.?\s*$|number:?\s*$"
    r"|订单|单号|运单|编号|流水|快递|工单|发票号|账号|合同|序列|共|訂單",
    re.I,
)
_ANNOUNCED = re.compile(
    r"(?:(?:phone|mobile|cell|tel|telephone|desk|office|fax|whats ?app)(?: (?:number|no\.?|is|at|on))*"
    r"|(?:call|calling|called|ring|text|reach|contact)(?: (?:me|us|him|her|you|back|them))? (?:at|on)"
    r"|电话|手机号?码?|座机|致电|拨打)"
    r"[\s:：#]*(\+?\(?[0-9](?:[ ().-]{0,2}[0-9]){6,14}(?:\s?x[0-9]{1,5})?)(?![0-9])",
    re.I,
)
_OTHER_NUMBER = re.compile(
    r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9]{4}[-. ][0-9]{1,2}[-. ][0-9]{1,2}|[0-9]{1,2}[-. ][0-9]{1,2}[-. ][0-9]{4}"
)
_LOOK_BACK = 30
_CANDIDATE = re.compile(r"(?:\+ ?)?\(?[0-9](?:[^0-9A-Za-z\n]{0,4}[0-9]){6,}")
_DECIMAL = re.compile(r"[0-9]+[.,][0-9]+|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_BARE = re.compile(r"[0-9]+")


def phones(text: str, *, regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Spans of telephone numbers: those of these regions, of any country after ``+``, and what is said to be one.

    A number written as bare digits counts only after a word that speaks of telephones (mainland mobiles: unless after
    one that speaks of orders), since an order number may be valid as a telephone number too.
    """
    seen = []
    if "CN" in regions:
        for match in (*_MOBILE_CN.finditer(text), *_LANDLINE_CN.finditer(text)):
            if not _said_last(text, match.start(), counted=True):
                seen.append(match.span())
    seen += [match.span(1) for match in _ANNOUNCED.finditer(text) if not _OTHER_NUMBER.fullmatch(match.group(1))]
    for region in [region for region in regions if region != "CN"] or ["ZZ"]:
        seen += _of_region(text, region)
    end_before = -1
    for start, end in sorted(seen, key=lambda span: (span[0], -span[1])):
        if start >= end_before:
            yield start, end
            end_before = end


def _of_region(text: str, region: str) -> Iterator[tuple[int, int]]:
    if not any(_worth_a_look(match, text) for match in _CANDIDATE.finditer(text)):
        return
    import phonenumbers

    for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
        if _OTHER_NUMBER.fullmatch(match.raw_string):
            continue
        bare = _BARE.fullmatch(match.raw_string) is not None
        if not bare or _said_last(text, match.start, counted=False):
            unclosed = match.raw_string.startswith("(") and ")" not in match.raw_string
            yield match.start + unclosed, match.end


def _worth_a_look(match: re.Match[str], text: str) -> bool:
    """Spares the library, which takes half a millisecond a text, what it or we would refuse."""
    if _DECIMAL.fullmatch(match.group()) or _OTHER_NUMBER.fullmatch(match.group()):
        return False
    return _BARE.fullmatch(match.group()) is None or _said_last(text, match.start(), counted=False)


def _said_last(text: str, start: int, *, counted: bool) -> bool:
    """Whether the last telling word before a number speaks of counting (an order), or else of telephones."""
    before = text[max(0, start - _LOOK_BACK) : start]
    last = {
        name: max((match.end() for match in words.finditer(before)), default=-1)
        for name, words in (("called", _CALLED), ("counted", _COUNTED))
    }
    return last["counted"] > last["called"] if counted else last["called"] > last["counted"]
