"""Libraries that only some sources need: the error says which extra brings them."""

from importlib.util import find_spec

from modelmint.core.errors import InputError


def need_library(*modules: str, extra: str, what: str) -> None:
    """Check that the libraries of an extra are installed; imports none of them.

    Args:
        modules: import names, such as ``openpyxl``.
        extra: the extra of `pip install "modelmint[...]"` that brings them.
        what: what they are needed for, as the subject of a sentence: ``reading an Excel workbook``.

    Raises:
        InputError: one is not installed; names the extra.
    """
    for module in modules:
        if find_spec(module) is None:
            raise InputError(
                f"source: {what} needs the library {module}, which is not installed",
                parameter="source",
                remedy=f'pip install "modelmint[{extra}]"',
            )
