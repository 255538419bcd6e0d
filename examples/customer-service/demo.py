"""The main job, end to end: raw CSV -> deployed model -> real requests -> feedback -> an improved model -> what it all came to.

make demo        (or: .venv/bin/python examples/customer-service/demo.py [--home FOLDER] [--port PORT] [--sample ROWS])
"""

import argparse
import csv
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

import modelmint
from modelmint.cli.progress import watching
from modelmint.cli.show import interval
from modelmint.core.formats import size

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENDPOINT = "customer-service"

out = Console(soft_wrap=True, highlight=False)


def main() -> int:
    arguments = _arguments()
    begun = time.monotonic()
    shutil.rmtree(arguments.home, ignore_errors=True)
    workspace = modelmint.Workspace(home=arguments.home)
    first = _run(workspace, arguments)
    traffic = _traffic()
    half = len(traffic) // 2
    with _serving(arguments, workspace) as client:
        out.print(
            f"\n[bold]3. Customers write[/]: {len(traffic)} requests, and the support team corrects the first {half}"
        )
        before = _ask(client, traffic)
        _correct(client, traffic[:half], before[:half])
        out.print("\n[bold]4. Learn from the feedback[/]")
        with watching() as watch:
            second = workspace.improve(ENDPOINT, watch=watch)
        after = _ask_until_switched(client, traffic[half:], second)
        usage = client.get("/v1/usage").json()
        out.print(f"   {_verdict(second)}")
        _closing(
            workspace,
            first,
            second,
            before=_accuracy(traffic[half:], before[half:]),
            after=_accuracy(traffic[half:], after),
            usage=usage,
            seconds=time.monotonic() - begun,
        )
        report = workspace.export(_card(second) or _card(first), arguments.home / "report")
        out.print(
            f"report   {report / 'report.html'}   (and the model card, README.md)\nserver   {client.base_url}   again with: modelmint --home {arguments.home} up"
        )
        if sys.stdout.isatty() and not arguments.no_wait:
            out.print("\nThe server is up; Ctrl-C ends it.")
            _wait()
    return 0


def _run(workspace: modelmint.Workspace, arguments: argparse.Namespace) -> dict[str, Any]:
    out.print("[bold]1. Raw CSV to a deployed model[/]: modelmint run examples/customer-service/recipe.yaml")
    settings = (
        [f"collect.max_rows={arguments.sample}", "evaluate.gates={}", "train.epochs=2"] if arguments.sample else []
    )
    with watching() as watch:
        summary = workspace.run(HERE / "recipe.yaml", settings=settings, watch=watch)
    if summary["status"] != "succeeded":
        out.print(f"[red]{summary['status']}[/]: {(summary['error'] or {}).get('message')}")
        sys.exit(1)
    out.print(f"   done in {summary['seconds']:.0f} s")
    return summary


@contextmanager
def _serving(arguments: argparse.Namespace, workspace: modelmint.Workspace) -> Iterator[httpx.Client]:
    """`modelmint up`, as a person would start it, and a client with a key."""
    port = arguments.port or _free_port()
    key = workspace.create_key("demo", ("predict", "feedback", "admin"))["secret"]
    command = [sys.executable, "-m", "modelmint", "--home", str(arguments.home), "up", "--port", str(port)]
    out.print(f"\n[bold]2. Serve it[/]: modelmint up --port {port}")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=60)
    try:
        _until_healthy(client, server)
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait(20)


def _ask(client: httpx.Client, traffic: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """One request a question, as they would come in."""
    answers = []
    for row in traffic:
        reply = client.post("/v1/predict", json={"model": ENDPOINT, "input": row["question"]})
        reply.raise_for_status()
        answers.append(reply.json())
    return answers


def _correct(client: httpx.Client, traffic: Sequence[dict[str, str]], answers: Sequence[dict[str, Any]]) -> None:
    for row, answer in zip(traffic, answers, strict=True):
        client.post("/v1/feedback", json={"prediction": answer["id"], "label": row["intent"]}).raise_for_status()


def _ask_until_switched(
    client: httpx.Client, traffic: Sequence[dict[str, str]], summary: dict[str, Any]
) -> list[dict[str, Any]]:
    """Ask again once the new revision answers; the old one's answers stand where the promotion was refused."""
    wanted = (summary["deployment"] or {}).get("revision")
    deadline = time.monotonic() + 5
    while wanted and time.monotonic() < deadline:
        if client.post("/v1/predict", json={"model": ENDPOINT, "input": "hello"}).json()["revision"] == wanted:
            break
        time.sleep(0.1)
    return _ask(client, traffic)


def _closing(
    workspace: modelmint.Workspace,
    first: dict[str, Any],
    second: dict[str, Any],
    *,
    before: float,
    after: float,
    usage: dict[str, Any],
    seconds: float,
) -> None:
    """The table that a founder understands."""
    table = Table(
        title=f"\nWhat it came to, after {seconds:.0f} s",
        title_justify="left",
        show_header=False,
        box=None,
        pad_edge=False,
    )
    table.add_column(style="bold")
    table.add_column()
    for name, value in [
        *_data_rows(workspace, first),
        *_quality_rows(first),
        *_variant_rows(first),
        *_traffic_rows(second, before, after, usage),
    ]:
        table.add_row(name, value)
    out.print(table)


def _data_rows(workspace: modelmint.Workspace, summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    roles = {stage["name"]: stage["roles"] for stage in summary["stages"]}
    kept = workspace.catalog.dataset(roles["collect"]["data"][0])
    reasons: dict[str, int] = {}
    for stage in roles.values():
        for identifier in stage.get("quarantine", []):
            for reason in _reasons(workspace, identifier):
                reasons[reason] = reasons.get(reason, 0) + 1
    yield "rows in", f"{kept.facts['rows_read']:,}"
    yield (
        "quarantined",
        f"{sum(reasons.values()):,}: "
        + ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])),
    )
    masked = workspace.catalog.report(roles["deidentify"]["deidentification"][0]).facts["masked"]
    yield "personal data masked", ", ".join(f"{kind} {count}" for kind, count in masked.items() if count)
    suspects = workspace.catalog.report(roles["preflight"]["preflight"][0]).facts["suspects"]
    yield "likely wrong labels", f"{suspects['rows']} to look at, listed by preflight"
    sizes = {
        name: workspace.catalog.dataset(roles["split"][name][0]).num_rows for name in ("train", "validation", "test")
    }
    yield "split", ", ".join(f"{name} {count:,}" for name, count in sizes.items())


def _quality_rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    accuracy, baseline = summary["metrics"]["accuracy"], summary["baseline"]
    yield "test accuracy", f"[green]{interval('accuracy', accuracy)}[/], 95 % interval, n = {accuracy['n']}"
    yield "cheap baseline", f"{interval('accuracy', baseline['metrics']['accuracy'])}  {baseline['name']}"
    if summary["estimate"] and summary["actual"]:
        yield (
            "training",
            f"{summary['actual']['seconds']:.0f} s (preflight said {summary['estimate']['seconds']:.0f} s)",
        )


def _variant_rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for variant in summary["variants"]:
        yield (
            f"variant {variant['name']}",
            f"{size(variant['size_bytes'])}, p50 {variant['p50_ms']:.1f} ms, {variant['cost_per_million']} per million calls, accuracy {variant['metrics']['accuracy']['value']:.1%}{'  <- served' if variant['chosen'] else ''}",
        )
    parity = summary["parity"]
    yield (
        "parity",
        f"{'refused' if parity['refused'] else 'passed'}: the same label on {parity['agreement']:.1%} of {parity['num_rows']} rows through the real endpoint",
    )


def _traffic_rows(
    second: dict[str, Any], before: float, after: float, usage: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    yield (
        "requests served",
        ", ".join(
            f"{line['num_requests']:,} billed at {line['price']} per 1,000 = {line['amount']}"
            for line in usage["lines"]
        ),
    )
    yield "improved from feedback", _verdict(second)
    yield "accuracy on new traffic", f"{before:.1%} before, {after:.1%} after"


def _verdict(summary: dict[str, Any]) -> str:
    if summary["status"] == "succeeded":
        return f"[green]promoted[/]: revision {summary['deployment']['revision']} is live"
    return f"[yellow]{summary['status']}[/]: {(summary['error'] or {}).get('message')}"


def _reasons(workspace: modelmint.Workspace, identifier: str) -> list[str]:
    from modelmint.core.tables import column

    return [str(reason) for reason in column(workspace.catalog.dataset(identifier), "reason")]


def _accuracy(traffic: Sequence[dict[str, str]], answers: Sequence[dict[str, Any]]) -> float:
    return sum(
        row["intent"] == answer["predictions"][0]["label"] for row, answer in zip(traffic, answers, strict=True)
    ) / len(traffic)


def _card(summary: dict[str, Any]) -> str:
    return str(summary["reports"].get("card", ""))


def _traffic() -> list[dict[str, str]]:
    with (HERE / "traffic.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _until_healthy(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    out.print("[red]the server did not come up[/]")
    sys.exit(1)


def _free_port() -> int:
    """8000 where it is free."""
    for port in (8000, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return 8000


def _wait() -> None:
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        out.print()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--home", type=Path, default=ROOT / ".demo", help="where the demo keeps its state; emptied first"
    )
    parser.add_argument("--port", type=int, help="of the server; 8000, or a free one when it is taken")
    parser.add_argument(
        "--sample", type=int, help="only so many rows, 2 epochs and no quality gates: a quick look at the plumbing"
    )
    parser.add_argument("--no-wait", action="store_true", help="do not keep the server up at the end")
    arguments = parser.parse_args()
    if arguments.home.exists() and any(arguments.home.iterdir()) and not (arguments.home / "modelmint.sqlite").exists():
        parser.error(f"--home {arguments.home} is not a home of Modelmint; it would be emptied")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the demo needs no hub
    return arguments


if __name__ == "__main__":
    sys.exit(main())
