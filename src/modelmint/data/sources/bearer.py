"""The token that an API is asked with (RFC 6750): one host is told it, and no other that it leads to."""

from dataclasses import dataclass, field
from typing import Self

from modelmint.core.errors import DataError
from modelmint.core.web.public_urls import Allowed, Target, parse_url


@dataclass(frozen=True, kw_only=True)
class Token:
    """What proves who asks; one host alone is told."""

    value: str = field(repr=False)
    origin: tuple[str, str, int]
    """Scheme, host and port."""

    @classmethod
    def of(cls, value: str, url: str, allowed: Allowed) -> Self:
        """For the host of a URL.

        Raises:
            DataError: it would go in the clear, or the URL may not be asked for.
        """
        if not value.isascii() or not value.isprintable() or " " in value:
            raise DataError(
                "token_from: the token must be printable ASCII without spaces or line ends",
                parameter="token_from",
                remedy="Set the variable to the token alone.",
            )
        target = parse_url(url, allowed)
        here = target.address is not None and target.address.is_loopback
        if target.scheme != "https" and not here:
            raise DataError(
                f"token_from: a token is sent over https alone; got {target.url[:200]}",
                parameter="token_from",
                remedy="Give the https:// address.",
            )
        return cls(value=value, origin=(target.scheme, target.host, target.port))

    def headers(self, target: Target) -> dict[str, str]:
        mine = (target.scheme, target.host, target.port) == self.origin
        return {"Authorization": f"Bearer {self.value}"} if mine else {}
