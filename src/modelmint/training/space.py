"""Disks that are full: how each library says it, and an error that names the disk."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelmint.core.errors import StorageFullError


@contextmanager
def told_when_full(folder: Path, what: str) -> Iterator[None]:
    """Turn what is raised inside when no space is left into an error that says where.

    Args:
        what: was to be written.

    Raises:
        StorageFullError: no space is left on the disk of `folder`.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        if not is_full(error):
            raise
        raise StorageFullError(
            f"MODELMINT_HOME: its disk must hold {what}; {shutil.disk_usage(folder).free / 1e6:,.1f} MB are free in {folder}",
            parameter="MODELMINT_HOME",
            remedy="Free some space there, or move MODELMINT_HOME to a larger disk; then run the same again: it goes on "
            "from the last checkpoint.",
        ) from error


def is_full(error: Exception) -> bool:
    """Whether no space, or no more of the user's share of it, is left; safetensors says it in words alone."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    said = str(error)
    return "No space left on device" in said or "Disk quota exceeded" in said
