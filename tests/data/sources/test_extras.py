"""A library that is not installed is named with the extra that brings it."""

import pytest

from modelmint.core.errors import InputError
from modelmint.data.sources.extras import need_library


def test_a_missing_library_names_its_extra() -> None:
    with pytest.raises(
        InputError, match=r'(?s)reading a PDF needs the library nope_pdf.*pip install "modelmint\[documents\]"'
    ):
        need_library("json", "nope_pdf", extra="documents", what="reading a PDF")
