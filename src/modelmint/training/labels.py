"""The labels of training rows."""

from collections.abc import Sequence

from modelmint.core.errors import DataError


def label_names(names: Sequence[str]) -> list[str]:
    """The labels that occur, sorted.

    Raises:
        DataError: there are fewer than two.
    """
    labels = sorted(set(names))
    if len(labels) < 2:
        given = f"all {len(names)} rows have the label {labels[0]!r}" if labels else "no rows"
        raise DataError(
            f"train: must hold at least two different labels; got {given}",
            parameter="train",
            remedy="Give rows of another label, or look whether the right column was read as the label.",
        )
    return labels
