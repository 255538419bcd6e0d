"""Cells of exported CSV that a spreadsheet program would run as a formula, made harmless and read back unchanged.

A text such as ``=HYPERLINK("http://...")`` sends a colleague's data away when the file is opened. An apostrophe before
it makes it text. Source: OWASP, CSV injection (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import re


def safe_cell(text: str) -> str:
    """The text with an apostrophe wherever a cell may begin with a sign that starts a formula; numbers stay.

    A cell may begin at the start, and, for a program that splits at another separator than ours or loses count of
    quotes, after any separator, quote or line break. `plain_cell` takes exactly these apostrophes away again.
    """
    return text if _NUMBER.fullmatch(text) else _BARE.sub("'", text)


def plain_cell(text: str) -> str:
    """The text that `safe_cell` was given; only for cells that it has written."""
    return _GUARDED.sub("", text)


# After the place: apostrophes (so that a guarded text is guarded once more and can be told apart), spaces that some
# programs skip, and the sign, also in its full-width form. A tab or line break counts at the very start only.
_SIGN = "(?='*[ \u00a0\u3000\u200b\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-])"
_PLACE = rf"""(?:\A(?='*[\t\r\n\0])|(?:\A|(?<=[,;|"\t\r\n])){_SIGN})"""
_BARE = re.compile(_PLACE)
_GUARDED = re.compile(rf"""(?:\A'(?='*[\t\r\n\0])|(?:\A|(?<=[,;|"\t\r\n]))'{_SIGN})""")
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}([.,][0-9]{1,30})?")
