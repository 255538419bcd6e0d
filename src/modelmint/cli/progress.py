"""Progress on standard error: a bar a stage with an estimate on a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from modelmint.loop.submit import Watcher


@contextmanager
def watching() -> Iterator[Watcher | None]:
    """A watcher that draws; None (quiet) when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with _bars() as progress:
        yield _Drawing(progress)


@contextmanager
def telling(name: str) -> Iterator[Callable[[int, int, str], None]]:
    """A function ``(done, total, message)`` that draws one bar; quiet when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _message: None
        return
    with _bars() as progress:
        line = progress.add_task(name, total=None, mark="[cyan]▸[/]", message="")
        yield lambda done, total, message: progress.update(line, completed=done, total=total or None, message=message)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[mark]} {task.description:<12}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[message]}"),
    )
    return Progress(*columns, console=Console(stderr=True))


class _Drawing:
    """One line a stage; lines appear when their stage begins."""

    MARKS: ClassVar = {
        "running": "[cyan]▸[/]",
        "succeeded": "[green]✓[/]",
        "failed": "[red]✗[/]",
        "refused": "[yellow]■[/]",
        "cancelled": "[dim]–[/]",
    }

    def __init__(self, progress: Any) -> None:
        self._progress, self._lines = progress, dict[int, Any]()

    def __call__(self, _row: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> None:
        for stage in stages:
            if stage["status"] == "waiting":
                continue
            position, total = stage["position"], stage["total"] or None
            if position not in self._lines:
                self._lines[position] = self._progress.add_task(stage["name"], total=total, mark="", message="")
            note = "from the catalog" if stage["cached"] else stage["message"]
            self._progress.update(
                self._lines[position],
                completed=stage["done"],
                total=total,
                message=note,
                mark=self.MARKS.get(stage["status"], " "),
            )
            if stage["status"] != "running":
                self._progress.stop_task(self._lines[position])
