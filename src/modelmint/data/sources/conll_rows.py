"""Rows of CoNLL files: a token a line with its tag in the last column, a blank line between sentences.

The form of the shared tasks of CoNLL (Tjong Kim Sang & De Meulder 2003): cells part at tabs or spaces, ``-DOCSTART-``
begins a document, ``#`` begins a remark where a tab or a space follows. Ten cells a line with a number first are CoNLL-U
(Universal Dependencies): the word is the second, its kind (UPOS) the fourth; contractions (``1-2``) and words that are
not written (``2.1``) are left out.
"""

import re
from collections.abc import Iterator

from modelmint.data.sources.encodings import EncodingWatch, check_text
from modelmint.data.sources.lines import Lines, RecordTooLongError, open_lines
from modelmint.data.sources.rows import ROWS_A_STEP, Reading, Row, SourceFile

_DOCUMENT = "-DOCSTART-"
_MAX_TOKENS = 100_000
_UNIVERSAL = re.compile(r"\d+([-.]\d+)?")
_UNIVERSAL_CELLS = 10


def conll_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """A row a sentence: ``tokens``, ``tags`` and ``document`` (0-based, where the file has documents).

    Raises:
        DataError: no text, or in another encoding.
    """
    check_text(file.path, gzipped=file.gzipped, encoding=how.encoding)
    with open_lines(
        file.path, gzipped=file.gzipped, encoding=how.encoding, newline="", max_chars=how.max_chars
    ) as lines:
        watch = EncodingWatch(path=file.path, gzipped=file.gzipped, encoding=how.encoding)
        document = -1
        for number, (line, sentence, fault, new_document) in enumerate(_sentences(lines)):
            document += new_document
            watch.see(sentence, line)
            reason, detail = fault or _uneven(sentence, line) or ("", "")
            cells = None if reason else _cells(sentence) | ({"document": document} if document >= 0 else {})
            done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
            yield Row(number, cells, reason, detail, line, sentence, done_bytes)
        watch.check()


def _sentences(lines: Lines) -> Iterator[tuple[int, list[str], tuple[str, str] | None, int]]:
    """Each sentence's first line, its lines, what is wrong with it, and how many documents began before it."""
    lines.begin()
    sentence: list[str] = []
    fault, first, documents = None, 0, 0
    while True:
        try:
            line = next(lines)
        except StopIteration:
            break
        except RecordTooLongError:
            fault = "too_long", f"line {lines.number}: a sentence longer than can be read"
            line = lines.record[-1]
            lines.begin()
        if line.strip() and not line.startswith((_DOCUMENT, "# ", "#\t")):
            first = first or lines.number
            if len(sentence) < _MAX_TOKENS:
                sentence.append(line)
            else:  # a file without blank lines is one sentence, however long
                fault = "too_long", f"line {first}: a sentence of more than {_MAX_TOKENS:,} tokens"
            continue
        if line.startswith("#"):
            continue
        if sentence:
            yield first, sentence, fault, documents
            documents = 0
        documents += line.startswith(_DOCUMENT)
        sentence, fault, first = [], None, 0
        lines.begin()
    if sentence:
        yield first, sentence, fault, documents


def _parts(line: str) -> list[str]:
    return line.rstrip("\r\n").split("\t") if "\t" in line else line.split()


def _uneven(sentence: list[str], line: int) -> tuple[str, str] | None:
    widths = {len(_parts(one)) for one in sentence}
    if len(widths) == 1 and widths != {1}:
        return None
    said = "has no tag" if widths == {1} else "has lines of different widths"
    return "bad_width", f"line {line}: the sentence {said}"


def _cells(sentence: list[str]) -> dict[str, object]:
    parts = [_parts(line) for line in sentence]
    if all(len(part) == _UNIVERSAL_CELLS and _UNIVERSAL.fullmatch(part[0]) for part in parts):
        words = [part for part in parts if part[0].isdecimal()]
        return {"tokens": [part[1] for part in words], "tags": [part[3] for part in words]}
    return {"tokens": [part[0] for part in parts], "tags": [part[-1] for part in parts]}
