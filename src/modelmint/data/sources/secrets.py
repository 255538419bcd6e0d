"""URLs that hold a password are refused before anything keeps them: a recipe is stored, shown and shared."""

import re

from modelmint.core.errors import InputError

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_PASSWORD = re.compile(r"[^/?#]*:[^/?#]*@")
_LOOSE_PASSWORD = re.compile(r".*:.*@", re.DOTALL)  # one with a slash that should have been written as %2F
_SECRET_PARAMETER = re.compile(r"[?&][^=&#]*(pass|pwd|secret|token|key)[^=&#]*=", re.IGNORECASE)
_WEB = ("http", "https")
_FILES = ("sqlite", "s3", "gs", "gcs", "az", "abfs", "abfss", "hf", "memory")


def refuse_password(source: str) -> None:
    """Look for a password in the user's part of a URL, or for a secret among the parameters of one that is no web page.

    Raises:
        InputError: there is one. The message repeats nothing of the URL but its scheme.
    """
    match = _SCHEME.match(source)
    if match is None:
        return
    scheme, rest = match.group(1).lower(), source[match.end() :]
    password = _PASSWORD if scheme in (*_WEB, *_FILES) else _LOOSE_PASSWORD
    if password.match(rest) or (scheme not in _WEB and _SECRET_PARAMETER.search(rest)):
        raise InputError(
            f"source: the URL ({scheme}://…) holds a password, and recipes are kept and shown",
            parameter="source",
            remedy="Leave it out of the URL. For a database put it into an environment variable MODELMINT_SECRET_... and "
            "name that in password_from; object stores find theirs in the environment. Change it where it was seen.",
        )
