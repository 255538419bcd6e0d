"""Answers in a context that was mended: the place of each is found again."""

import pyarrow as pa

from modelmint.core.text import tidy_lines


def follow_answers(before: pa.RecordBatch, after: pa.RecordBatch) -> pa.RecordBatch:
    """The mended rows with `answer` and `answer_start` as they stand in the mended contexts.

    An answer is looked for in the words of the mended context, and taken where it stands as often before as it did in
    the old one. Where it is not found, the row keeps its old context; a row without an answer has none to follow.
    """
    contexts, answers, starts = [], [], []
    columns = [before.column(name).to_pylist() for name in ("context", "answer", "answer_start")]
    for old, new, answer, start in zip(
        columns[0], after.column("context").to_pylist(), columns[1], columns[2], strict=True
    ):
        placed = _placed(old, new, answer, start)
        contexts.append(new if placed else old)
        answers.append(placed[0] if placed else answer)
        starts.append(placed[1] if placed else start)
    for name, cells in (("context", contexts), ("answer", answers), ("answer_start", starts)):
        at = after.schema.get_field_index(name)
        after = after.set_column(at, after.schema.field(at), pa.array(cells, after.schema.field(at).type))
    return after


def _placed(
    old: str | None, new: str | None, answer: str | None, start: int | None
) -> tuple[str | None, int | None] | None:
    """The answer and its place in the new context; None where it is not there."""
    if old is None or new is None or old == new or not answer or start is None or start < 0:
        return answer, start
    for candidate in dict.fromkeys((answer, tidy_lines(answer), " ".join(answer.split()))):
        rank, place = old[: start + len(answer) - 1].count(answer) if answer in old else 0, -1
        for _ in range(rank + 1):
            place = new.find(candidate, place + 1)
        if candidate and place >= 0:
            return candidate, place
    return None
