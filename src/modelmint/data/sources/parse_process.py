"""The process that parses: ``python -m modelmint.data.sources.parse_process BOUNDS``; see `data.parsing` for what it is told.

It is a named process boundary: whatever a file makes a parser raise is answered as that file's fault.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelmint.core.types import JSON
from modelmint.data.sources import parse_documents, parse_media
from modelmint.data.sources.parsing import Bounds
from modelmint.data.sources.unreadable import UnreadableError

_KINDS: dict[str, Callable[..., Iterator[str | JSON]]] = {
    "pdf": parse_documents.pdf,
    "docx": parse_documents.docx,
    "html": parse_documents.html,
    "image": parse_media.image,
    "audio": parse_media.audio,
}
"""Each gives texts, and facts as a mapping; it raises whatever it likes."""


def main() -> None:
    """Answer requests until standard input ends."""
    bounds = Bounds(**json.loads(sys.argv[1]))
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints says nothing to our reader
    _set_limits(bounds)
    for line in sys.stdin:
        request = json.loads(line)
        _allow_s(bounds.max_parse_s)
        exhausted = False
        facts: JSON = {}
        reason = detail = ""
        try:
            for said in _KINDS[request["kind"]](Path(request["path"]), bounds, **request["options"]):
                if isinstance(said, str):
                    _say(channel, {"text": said.encode("utf-8", "replace").decode()})
                    _allow_s(bounds.max_parse_s)
                else:
                    facts |= said
        except UnreadableError as error:
            reason, detail = error.reason, error.detail
        except MemoryError:
            exhausted, reason = True, "too_much_memory"
            detail = f"parsing it takes more than {bounds.max_memory_bytes:,} bytes of memory"
        except Exception as error:  # noqa: BLE001  # the process boundary: the file's fault, told as one
            reason, detail = f"bad_{request['kind']}", f"{type(error).__name__}: {error}"[:300]
        _say(channel, {"reason": reason, "detail": detail, "facts": facts})
        if exhausted:  # what a parser leaves behind when memory gives out is not to be trusted
            os._exit(0)


def _say(channel: Any, said: JSON) -> None:
    channel.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")
    channel.flush()


def _set_limits(bounds: Bounds) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.max_memory_bytes, bounds.max_memory_bytes))


def _allow_s(seconds: float) -> None:
    """So much more processor time from now; the kernel ends us behind it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
