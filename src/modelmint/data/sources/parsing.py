"""Parsing files that may be hostile (PDF, Word, web pages, images, recordings) in a process that may die of it.

The child is `data.parse_process`. It is started at the first file, serves any number of them, and may use so much
memory, so much processor time a file, and may write no file; one that kills it costs that file, and the next one gets a
new child. Processor time is bounded rather than the clock, so that a busy machine changes no result; the clock only
ends what waits for ever.
"""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from modelmint.core.clock import monotonic_s
from modelmint.core.types import JSON

_CLOCK_FACTOR = 12  # a child that gets a twelfth of a processor still finishes
_START_S = 60.0  # importing a library on a machine with much else to do
_MAX_LINE_BYTES = 128 << 20


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much one file may be; what is more goes to quarantine."""

    max_file_bytes: int = 200_000_000
    max_pages: int = 5_000
    max_chars: int = 20_000_000
    """Of text, in a whole document."""
    max_pixels: int = 50_000_000
    """Width times height: 150 MB as it is decoded."""
    max_audio_s: float = 600.0
    max_parse_s: float = 10.0
    """Processor time: for a page of a PDF, for another file as a whole."""
    max_memory_bytes: int = 1 << 30
    """Address space of the child, its libraries included."""


class Parsed(NamedTuple):
    """What the child says of a file: texts and facts, or a reason."""

    texts: list[str]
    """The pages of a PDF; of another document its one text; nothing for an image or a recording."""
    facts: JSON
    """``width``, ``height``, ``format``; ``seconds``, ``rate``, ``channels``; ``title``."""
    reason: str = ""
    detail: str = ""


class Parser:
    """The child process. Use it as a context, from one thread."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def parse(self, kind: str, path: Path, **options: Any) -> Parsed:
        """Parse one file.

        Args:
            kind: ``pdf``, ``docx``, ``html``, ``image`` or ``audio``.
            options: what the function of that kind takes beside path and bounds.

        Returns:
            Always an answer: a file that breaks the parser has a reason (``too_slow``, ``too_much_memory``,
            ``parser_died``).
        """
        if not path.is_file():
            return Parsed([], {}, "not_a_file", "it is not a file")
        size_bytes = path.stat().st_size
        if size_bytes > self.bounds.max_file_bytes:
            allowed = f"max_file_bytes takes {self.bounds.max_file_bytes:,}"
            return Parsed([], {}, "too_large", f"{size_bytes:,} bytes; {allowed}")
        request = {"kind": kind, "path": str(path.absolute()), "options": options}
        child, is_new = (self._child, False) if self._child is not None else (_Child(self.bounds), True)
        self._child = child
        answer = child.ask(request)
        if answer is not None:
            if answer.reason == "too_much_memory":  # it went behind that answer
                self.close()
            return answer
        self._child = None
        status, late = child.end()
        if is_new or late or status == -signal.SIGXCPU:
            return _post_mortem(status, late=late, bounds=self.bounds)
        return self.parse(kind, path, **options)  # it may have died of what came before, or of the machine

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.end()
        self._child = None

    @property
    def child_id(self) -> int | None:
        """The process id of the child; None where none is running."""
        return None if self._child is None else self._child.process.pid


class _Child:
    """One process and its two pipes: a JSON line a request; a JSON line a text, then one with the facts or the fault."""

    def __init__(self, bounds: Bounds) -> None:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "LANG", "HOME"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "modelmint.data.sources.parse_process", json.dumps(asdict(bounds))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        self._patience_s = bounds.max_parse_s * _CLOCK_FACTOR
        self._ready, self._left, self._late = set[str](), b"", False

    def ask(self, request: JSON) -> Parsed | None:
        """The answer; None when the child died of the file, or said nothing for too long."""
        kind, texts = request["kind"], list[str]()
        try:
            if self.process.stdin is not None:
                self.process.stdin.write(json.dumps(request).encode() + b"\n")
                self.process.stdin.flush()
        except BrokenPipeError:
            return None
        patience_s = self._patience_s + (0 if kind in self._ready else _START_S)
        self._ready.add(kind)
        while (line := self._line(patience_s)) is not None:
            said = json.loads(line)
            patience_s = self._patience_s
            if "text" in said:
                texts.append(said["text"])
            else:
                return Parsed([] if said["reason"] else texts, said["facts"], said["reason"], said["detail"])
        return None

    def end(self) -> tuple[int, bool]:
        """Kill it where it still runs; its exit status, and whether it was ended for saying nothing."""
        if self._late or self.process.stdin is None or self.process.stdout is None:
            self.process.kill()
        else:
            with suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(1.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return status, self._late

    def _line(self, patience_s: float) -> bytes | None:
        if self.process.stdout is None:
            return None
        handle, pieces = self.process.stdout.fileno(), [self._left]
        until_s, num_bytes = monotonic_s() + patience_s, len(self._left)
        while b"\n" not in pieces[-1]:
            readable, _, _ = select.select([handle], [], [], max(until_s - monotonic_s(), 0))
            piece = os.read(handle, 1 << 20) if readable else b""
            num_bytes += len(piece)
            self._late = not readable
            if not piece or num_bytes > _MAX_LINE_BYTES:
                return None
            pieces.append(piece)
        line, _, self._left = b"".join(pieces).partition(b"\n")
        return line


def _post_mortem(status: int, *, late: bool, bounds: Bounds) -> Parsed:
    if late or status == -signal.SIGXCPU:
        return Parsed([], {}, "too_slow", f"parsing it takes more than {bounds.max_parse_s:g} s of processor time")
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    return Parsed([], {}, "parser_died", f"the parser died of it ({name})")
