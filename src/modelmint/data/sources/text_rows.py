"""Rows of a plain text file, streamed: paragraphs, or lines where the text has no empty line, or larger parts."""

from collections.abc import Iterator

from modelmint.data.sources.chunks import cut_text
from modelmint.data.sources.encodings import EncodingWatch, check_text
from modelmint.data.sources.lines import MAX_RECORD_CHARS, Lines, RecordTooLongError, open_lines
from modelmint.data.sources.rows import ROWS_A_STEP, Reading, Row, SourceFile

_HEAD_CHARS = 1 << 18


def text_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """``text`` of each paragraph; of each chunk, or of the whole file, where `Reading.cut` says so.

    Raises:
        DataError: no text, or in another encoding.
    """
    check_text(file.path, gzipped=file.gzipped, encoding=how.encoding)
    with open_lines(
        file.path, gzipped=file.gzipped, encoding=how.encoding, newline="", max_chars=how.max_chars
    ) as lines:
        head, _ = lines.block(_HEAD_CHARS)
        lines.unread(head)
        by_line = how.cut == "paragraph" and not any(not line.strip() for line in head.splitlines()[1:])
        watch = EncodingWatch(path=file.path, gzipped=file.gzipped, encoding=how.encoding)
        number = 0
        for line, raw, fault in _parts(lines, by_line=by_line, whole=how.cut in {"document", "page"}):
            watch.see(raw, line)
            texts = ["".join(raw).strip()] if how.cut != "chunk" else list(
                cut_text("".join(raw), "chunk", chunk_chars=how.chunk_chars, overlap_chars=how.chunk_overlap_chars)
            )  # fmt: skip
            for text in texts:
                reason, detail = fault or ("", "")
                done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
                yield Row(number, None if fault else {"text": text}, reason, detail, line, raw, done_bytes)
                number += 1
        watch.check()


def _parts(lines: Lines, *, by_line: bool, whole: bool) -> Iterator[tuple[int, list[str], tuple[str, str] | None]]:
    """Each part's first line, its lines, and what is wrong with it. What holds no text is passed over."""
    part: list[str] = []
    first = num_chars = 0
    lines.begin()
    while True:
        try:
            line = next(lines)
        except StopIteration:
            break
        except RecordTooLongError:
            yield first or lines.number, [*part, lines.record[-1]][:100], ("too_long", f"line {lines.number}: a part longer than {MAX_RECORD_CHARS:,} characters")  # fmt: skip
            part, first, num_chars = [], 0, 0
            lines.begin()
            continue
        if line.strip():
            first = first or lines.number
            part.append(line)
            num_chars += len(line)
        elif whole and part:
            part.append(line)
        if part and not whole and (by_line or not line.strip()):
            yield first, part, None
            part, first, num_chars = [], 0, 0
            lines.begin()
    if part:
        yield first, part, None
