"""Where a person can be met on a network: e-mail addresses, URLs, IP addresses, and the names of messengers."""

import ipaddress
import re
from collections.abc import Iterator

from modelmint.data.personal.contexts import Found, near, words

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}"
    r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_SPELT_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63} ?[\[(] ?(?:at|@) ?[\])] ?[A-Za-z0-9-]{1,63}"
    r"(?: ?(?:\.|[\[(] ?(?:dot|\.) ?[\])]) ?[A-Za-z0-9-]{1,63}){1,4}(?![A-Za-z0-9-])",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?<![A-Za-z0-9])(?:https?://|ftp://|www\.)[A-Za-z0-9\[][!#-&*-;=?@-Z\[\]_a-z~%]{2,2000}", re.IGNORECASE
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![0-9A-Za-z.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])")
_VERSION = words(
    r"\bversions?\b", r"\bver\b", r"\bv\.?$", "release", r"\bbuild\b", "section", "chapter", "版本", "固件", "章节"
)
_ADDRESSED = words(r"\bips?\b", "address", "host", "server", "client", "登录", "地址", "服务器")
NETWORKS = ("微信", "weixin", "wechat", "威信", "vx", "qq", "telegram", "instagram", "twitter", "tiktok", "skype", "snapchat", "whatsapp", "whats app", "line id", "抖音", "微博", "小红书", "推特")  # fmt: skip
"""One of these stands before every handle, in lower case."""
_WECHAT = re.compile(
    r"(?:微信|weixin|wechat|威信|(?<![a-z])vx)(?P<named> ?(?:号码?|id|号是|是|为|is)?\s{0,2}[:：]?)\s{0,2}"
    r"(?P<name>[a-z][a-z0-9_-]{5,19})(?![a-z0-9_@.-])",
    re.IGNORECASE,
)
_QQ = re.compile(
    r"(?<![a-z])qq(?:号码?|群)? ?(?:是|为|is)?\s{0,2}[:：]?\s{0,2}(?P<name>[1-9][0-9]{4,10})(?![0-9@])", re.IGNORECASE
)
_NETWORK = re.compile(
    r"(?:telegram|instagram|twitter|tiktok|skype|snapchat|whats ?app|line id|抖音|微博|小红书|推特)"
    r"(?: (?:id|handle|name|user ?name|account)|号|账号)?(?: is |[:：]\s{0,2}|是|为)(?P<name>@?[a-z0-9_.]{2,29}[a-z0-9_])(?![a-z0-9_@])",
    re.IGNORECASE,
)


def emails(text: str) -> Iterator[Found]:
    """E-mail addresses, also ``joe [at] example [dot] com``."""
    if "@" in text:
        yield from ((*match.span(), 1.0) for match in _EMAIL.finditer(text))
    if "[" in text or "(" in text:
        yield from ((*match.span(), 0.9) for match in _SPELT_EMAIL.finditer(text))


def urls(text: str) -> Iterator[Found]:
    """Web addresses with their scheme, or that begin with ``www.``; punctuation at the end is the sentence's."""
    for match in _URL.finditer(text):
        found = match.group().rstrip(".,;:!?*'")
        if "." in found or "localhost" in found:
            yield match.start(), match.start() + len(found), 1.0


def addresses(text: str) -> Iterator[Found]:
    """IP addresses, version 4 and 6, that may be a person's: not this host's, netmasks, or numbers of versions."""
    if text.count(".") >= 3:
        for match in _IPV4.finditer(text):
            octets = [int(part) for part in match.group().split(".")]
            if octets[0] in {0, 127, 255}:
                continue
            versioned = near(text, *match.span(), _VERSION, before=12, after=0)
            small = max(octets) < 20 and not near(text, *match.span(), _ADDRESSED)
            yield *match.span(), 0.3 if versioned or small else 0.95
    if text.count(":") >= 2:
        for match in _IPV6.finditer(text):
            if _is_ipv6(match.group()):
                yield *match.span(), 0.95


def _is_ipv6(value: str) -> bool:
    """Eight groups, or fewer around ``::``; one needs a digit, or Ruby's ``Bed::Face`` would be an address."""
    if not any(letter.isdigit() for letter in value) or sum(map(bool, value.split(":"))) < 2:
        return False
    try:
        return not ipaddress.IPv6Address(value).is_loopback
    except ValueError:
        return False


def handles(text: str) -> Iterator[Found]:
    """Names in messengers and networks, after the name of the network alone: WeChat, QQ, Telegram and others."""
    for match in _WECHAT.finditer(text):
        sure = any(letter in "0123456789_-" for letter in match["name"]) or match["named"].strip() != ""
        yield *match.span("name"), 0.9 if sure else 0.3
    for pattern in (_QQ, _NETWORK):
        yield from ((*match.span("name"), 0.9) for match in pattern.finditer(text))
