"""Which URLs may be fetched: the guard against requests forged through us into the network we stand in (SSRF).

A URL is parsed once, here, strictly; what was checked is what is connected to, named in the request and verified by
TLS. Sources: OWASP, Server-Side Request Forgery Prevention; the IANA special-purpose address registries (RFC 6890).
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from modelmint.core.errors import DataError, InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_CHARS = 2000
MAX_ADDRESSES = 16
"""More addresses than this for one name are refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A checked URL: `host` is lower case, a plain name or a canonical address (without brackets)."""

    scheme: str
    host: str
    port: int
    path: str
    """The path and query as sent, all ASCII; begins with a slash."""

    @property
    def authority(self) -> str:
        """The host, with the port where it is not the scheme's own: what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def address(self) -> Address | None:
        """The host as an address; None where it is a name."""
        return _canonical(self.host)


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """What of a company's own network may be fetched, by the environment (``MODELMINT_ALLOW_PRIVATE_URLS``).

    A host name lifts the rule for private addresses of that host, and for its port (`host:port`: for that port alone);
    a CIDR block or an address lifts every rule for addresses in it. A recipe cannot change it.
    """

    names: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Entries such as ``intranet.corp``, ``data.corp:8443``, ``10.1.0.0/16`` or ``fd00::/8``.

        Raises:
            InputError: an entry is none of these.
        """
        names, networks = set(), []
        for entry in filter(None, (entry.strip().lower() for entry in entries)):
            try:
                networks.append(ipaddress.ip_network(entry))
                continue
            except ValueError:
                found = _ENTRY.fullmatch(entry)
            if found is None or not _NAME.fullmatch(found[1]) or _NUMERIC.search(found[1]):
                raise InputError(
                    f"{SETTING}: must be host names (also name:port) and CIDR blocks, with commas between; got {entry!r}",
                    parameter=SETTING,
                    remedy=f"Write, for example, {SETTING}=intranet.example.com,10.1.0.0/16.",
                )
            names.add((found[1], int(found[2]) if found[2] else None))
        return cls(names=frozenset(names), networks=tuple(networks))

    def by_name(self, host: str, port: int) -> bool:
        return (host, None) in self.names or (host, port) in self.names

    def by_network(self, address: Address) -> bool:
        return any(address in network for network in self.networks if network.version == address.version)


def parse_url(url: str, allowed: Allowed) -> Target:
    """A URL that may be asked for as it stands; its addresses are checked by `check_addresses`.

    Raises:
        DataError: not http or https, with credentials, a port or spelling that is not allowed, or a local name.
    """
    shape = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARS and not _UNCLEAN.search(url) else None
    if shape is None:
        raise _refused("must be an http:// or https:// URL without spaces, control characters or backslashes", url)
    scheme, authority, path = shape[1].lower(), shape[2], (shape[3] or "/") + (shape[4] or "")
    if "@" in authority:
        raise _refused("must hold no user name or password", f"{scheme}://...@{authority.rpartition('@')[2]}")
    place = _AUTHORITY.fullmatch(authority)
    if place is None:
        raise _refused("must have a plain name or address as its host, with at most a port", url)
    host = _host(place[1], url)
    port = int(place[2]) if place[2] else _PORTS[scheme]
    target = Target(scheme=scheme, host=host, port=port, path=quote(path, safe=_KEPT))
    lifted = allowed.by_name(host, port) or (target.address is not None and allowed.by_network(target.address))
    if port not in _PORTS.values() and not (lifted and 0 < port < 65536):
        raise _refused("must have the port 80 or 443", url, open_by_setting=True)
    if target.address is None and not lifted and ("." not in host or host.endswith(_LOCAL_NAMES)):
        raise _refused("must name a public host", url, open_by_setting=True)
    return target


def check_addresses(target: Target, addresses: Sequence[str], allowed: Allowed) -> list[Address]:
    """Every address that a target's host resolves to, when all of them may be connected to.

    Raises:
        DataError: one of them is not public, or there are none or absurdly many.
    """
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise _refused(f"must have a host with 1 to {MAX_ADDRESSES} addresses; it has {len(addresses)}", target.url)
    found = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    for address in found:
        kind = kind_of(address)
        named = kind in _PRIVATE and allowed.by_name(target.host, target.port)
        if kind and not named and not allowed.by_network(address):
            raise _refused(
                f"must lead to a public address; its host has a {kind} one", target.url, open_by_setting=True
            )
    return found


def kind_of(address: Address) -> str | None:
    """Why an address is not a public one (``loopback``, ``private``, ``link-local``, ...); None for a public one."""
    for kind, networks in _NOT_PUBLIC.items():
        if any(address in network for network in networks if network.version == address.version):
            return kind
    if address.version == 6 and (address not in _GLOBAL_V6 or address.packed[8:12] in _ISATAP):
        return "reserved"
    return None


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says a name's addresses are, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _host(written: str, url: str) -> str:
    if written.startswith("["):
        try:
            return str(ipaddress.IPv6Address(written[1:-1]))
        except ValueError as error:
            raise _refused("must have an IPv6 address between its brackets", url) from error
    host = _ascii(written, url).lower().removesuffix(".")
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise _refused("must have a plain name or address as its host", url)
    if _NUMERIC.search(host) and _canonical(host) is None:
        raise _refused("must spell the address of its host in the usual way", url)
    return host


def _ascii(host: str, url: str) -> str:
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError as error:
        raise _refused("must have a host that is a valid international name", url) from error


def _canonical(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(rule: str, url: str, *, open_by_setting: bool = False) -> DataError:
    opening = f"For a host of your own, whoever runs the server may name it in {SETTING}."
    return DataError(
        f"source: a URL {rule}; got {url[:200]!r}",
        parameter="source",
        remedy=opening if open_by_setting else "Give the address as a browser shows it, or download the file yourself.",
    )


def _nets(*networks: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)


SETTING = "MODELMINT_ALLOW_PRIVATE_URLS"
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#]+)(/[^?#]*)?(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
_UNCLEAN = re.compile(r"[\x00-\x20\x7f-\xa0\u2000-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufeff\\]")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]%]+)(?::([0-9]{1,5}))?")
_ENTRY = re.compile(r"([^:]+)(?::([0-9]{1,5}))?")
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")  # WHATWG: such a host is an IPv4 address in some spelling
_KEPT = "/?:@!$&'()*+,;=-._~%"
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".corp", ".home", ".arpa", ".onion")
_PRIVATE = frozenset({"loopback", "private", "carrier-shared"})
"""What a host name in the setting opens. Link-local is not there: clouds keep their machines' keys at such addresses."""
_NOT_PUBLIC = {
    "unspecified": _nets("0.0.0.0/8", "::/128"),
    "loopback": _nets("127.0.0.0/8", "::1/128"),
    "cloud metadata": _nets("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32"),
    "private": _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "carrier-shared": _nets("100.64.0.0/10"),
    "link-local": _nets("169.254.0.0/16", "fe80::/10"),
    "multicast": _nets("224.0.0.0/4", "ff00::/8"),
    "embedded IPv4": _nets("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"),
    "documentation": _nets("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "reserved": _nets("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "2001::/23"),
}
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
_ISATAP = frozenset({b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe"})
