"""What people see: tables and trees on standard output, from the same bodies that `--json` prints."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from modelmint.core.figures import SHARES
from modelmint.core.formats import size

Body = Mapping[str, Any]


def show_run(body: Body) -> None:
    """A run: its stages, then its figures."""
    from modelmint.loop.estimates import past_in_words

    out = console()
    table = titled_table(
        f"{body['name']}  {body['run']}  {body['status']}  {body['seconds']:.1f} s",
        "stage",
        "status",
        ">seconds",
        "made",
    )
    for stage in body["stages"]:
        note = "from the catalog" if stage["cached"] else stage["status"]
        table.add_row(
            stage["name"],
            note,
            _seconds(stage["seconds"]),
            ", ".join(f"{role} {ids[0]}" for role, ids in stage["roles"].items() if ids),
        )
    out.print(table)
    if body["metrics"]:
        out.print(_metrics(body))
    if body["variants"]:
        out.print(_variants(body["variants"], body.get("figure")))
    for one in body.get("failed_variants", ()):
        out.print(f"variant {one['name']} could not be made: {one['reason']}", highlight=False, markup=False)
    if body["estimate"] or body["actual"]:
        out.print(_estimate(body))
    if body["estimate"] and (said := past_in_words(body["past_estimates"])):
        out.print(said, highlight=False)
    for line in _closing(body):
        out.print(line, highlight=False)


def show_runs(bodies: Sequence[Body]) -> None:
    list_rows(
        bodies,
        {
            "run": "run",
            "name": "name",
            "status": "status",
            ">seconds": lambda body: _seconds(body["seconds"]),
            "begun": lambda body: body["created_at"][:19],
        },
        empty="No runs yet. Begin with: modelmint run recipe.yaml",
    )


def show_artifacts(bodies: Sequence[Body]) -> None:
    list_rows(
        bodies,
        {
            "id": "id",
            "name": "name",
            ">size": lambda body: size(body["size_bytes"]),
            "digest": lambda body: body["digest"][:12],
            "licences": lambda body: ", ".join(body["licences"]),
            "made": lambda body: body["created_at"][:19],
        },
        empty="None yet. Begin with: modelmint run recipe.yaml",
    )


def show_deployments(bodies: Sequence[Body]) -> None:
    list_rows(
        bodies,
        {
            "endpoint": "endpoint",
            ">revision": "revision",
            "model": "model",
            "variant": "variant",
            "price per 1,000": "price",
            "since": lambda body: str(body["changed_at"])[:19],
        },
        empty="Nothing is deployed. A recipe with a deploy stage does it.",
    )


def show_usage(body: Body) -> None:
    list_rows(
        body["lines"],
        {
            "endpoint": "endpoint",
            ">requests": lambda line: f"{line['num_requests']:,}",
            ">inputs": lambda line: f"{line['num_inputs']:,}",
            "price per 1,000": "price",
            ">amount": "amount",
        },
        empty="No usage yet.",
    )


def show_keys(bodies: Sequence[Body]) -> None:
    list_rows(
        bodies,
        {
            "id": "id",
            "name": "name",
            "prefix": "prefix",
            "scopes": lambda body: ", ".join(body["scopes"]),
            "revoked": lambda body: str(body["revoked_at"] or "")[:19],
        },
        empty="No keys. Make one with: modelmint keys create",
    )


def show_predictions(texts: Sequence[str], body: Body) -> None:
    out = console()
    table = titled_table(f"{body['model']} revision {body['revision']}  {body['id']}", "text", "label", ">score")
    for text, prediction in zip(texts, body["predictions"], strict=True):
        table.add_row(text, *_answered(prediction))
    out.print(table)


def _answered(prediction: Body) -> tuple[str, str]:
    """What was said, and how sure: of several labels or entities each with its own."""
    if "entities" in prediction:
        said = [(f"{one['text']} ({one['type']})", one["score"]) for one in prediction["entities"]]
    elif "labels" in prediction:
        said = list(zip(prediction["labels"], prediction["label_scores"], strict=True))
    elif "answer" in prediction:
        said = [(prediction["answer"] or "(none)", prediction["score"])]
    elif "value" in prediction:
        return f"{prediction['value']:g}", ""
    else:
        said = [(prediction["label"], prediction["score"])]
    return ", ".join(name for name, _ in said), ", ".join(f"{score:.3f}" for _, score in said)


def show_anything(body: Body) -> None:
    """A run, or an artifact's manifest."""
    if "run" in body and "stages" in body:
        show_run(body)
        return
    out = console()
    table = titled_table(f"{body['kind']} {body['name']}  {body['id']}", "", "")
    table.show_header = False
    for key in ("digest", "run", "licences", "created_at"):
        value = body.get(key)
        table.add_row(key, ", ".join(value) if isinstance(value, list) else str(value))
    for section in ("facts", "measured"):
        for key, value in body.get(section, {}).items():
            table.add_row(key, _brief(value))
    for file in body["files"]:
        table.add_row("file", f"{file['path']}  {size(file['size_bytes'])}")
    out.print(table)


def show_tree(body: Body) -> None:
    """A lineage."""

    def grow(tree: Tree, nodes: Sequence[Body]) -> None:
        for node in nodes:
            branch = tree.add(
                f"[dim]{node['role']}:[/] {node['kind']} [bold]{node['name']}[/] {node['id']}"
                + (" [dim](drawn above)[/]" if node["repeated"] else "")
            )
            grow(branch, node["parents"])

    root = Tree(f"{body['kind']} [bold]{body['name']}[/] {body['id']}")
    grow(root, body["parents"])
    console().print(root)


def interval(name: str, metric: Body) -> str:
    """``93.6 % (92.7 to 94.4)`` of a share, ``0.412 (0.391 to 0.433)`` of another figure."""
    form = ".1%" if name.partition(":")[0] in SHARES else ".4g"
    return f"{metric['value']:{form}} ({metric['low']:{form}} to {metric['high']:{form}})"


def _metrics(body: Body) -> Table:
    baseline = (body["baseline"] or {}).get("metrics", {})
    table = titled_table(
        "test set, with 95 % intervals",
        "metric",
        ">model",
        f">baseline: {(body['baseline'] or {}).get('name', 'none')}",
        ">n",
    )
    for name, metric in body["metrics"].items():
        beside = interval(name, baseline[name]) if name in baseline else ""
        table.add_row(name, interval(name, metric), beside, f"{metric['n']:,}")
    return table


def _variants(variants: Sequence[Body], figure: str | None) -> Table:
    metrics = variants[0]["metrics"]
    metric = figure if figure in metrics else next(iter(metrics))
    table = titled_table(
        "variants", "variant", ">size", ">p50", ">per second", f">{metric}", ">cost per million", "chosen"
    )
    for variant in variants:
        value = variant["metrics"][metric]["value"]
        table.add_row(
            variant["name"],
            size(variant["size_bytes"]),
            f"{variant['p50_ms']:.1f} ms",
            f"{variant['throughput_per_s']:.0f}",
            f"{value:.2%}" if metric in SHARES else f"{value:.4g}",
            str(variant.get("cost_per_million", "")),
            "✓" if variant["chosen"] else "",
        )
    return table


def _estimate(body: Body) -> Table:
    """What preflight said that training would take, and what it took."""
    expected, took = body["estimate"] or {}, body["actual"] or {}
    table = titled_table("training", "", ">estimate", ">actual", ">error")
    for name, key, write in (("time", "seconds", _time), ("memory", "memory_bytes", size), ("cost", "cost", str)):
        if key in expected or key in took:
            error = body["estimate_error"].get(key)
            table.add_row(
                name,
                _with_most(write(expected[key]), expected, key) if key in expected else "",
                write(took[key]) if key in took else "",
                f"{error['error']:+.0%}" if error else "",
            )
    return table


def _search(study: Body) -> str:
    """What a search found, in a line."""
    best, metric = study["best"], study["metric"]
    form = ".1%" if metric in SHARES else ".4g"
    values = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in best["values"].items()
    )
    beside = f", {study['default']['score']:{form}} without it" if study["default"] else ""
    return (
        f"search: {values}: validation {metric} {best['score']:{form}}{beside} "
        f"(trial {best['number'] + 1} of {sum(study['counts'].values())})"
    )


def _with_most(written: str, expected: Mapping[str, Any], key: str) -> str:
    most_s = expected.get("most_seconds", 0.0)
    return f"{written}, at most {_time(most_s)}" if key == "seconds" and most_s > expected[key] else written


def _time(value: float) -> str:
    return f"{value:.1f} s"


def _closing(body: Body) -> list[str]:
    lines = [_search(body["search"])] if body.get("search") else []
    lines += [says] if (says := (body["baseline"] or {}).get("says")) else []
    lines += [f"overridden: {one['stage']}, by {one['by']} at {one['at'][:16]}: {one['reason']}" for one in body["overrides"]]  # fmt: skip
    if told := body.get("tracking"):
        from modelmint.cli.tracking import told_mlflow

        lines.append(told_mlflow(told))
    if parity := body["parity"]:
        verdict = "refused" if parity["refused"] else "passed"
        same = f"{parity['agreement']:.2%} of {parity['num_rows']:,} rows"
        if said := parity.get("answers"):
            same = f"{parity['agreement']:.2%} of {said['num_tokens']:,} tokens in the answers to {parity['num_rows']:,} chats"
        lines.append(f"parity {verdict}: the same {'token' if said else 'label'} on {same} through the endpoint")
    if deployment := body["deployment"]:
        lines.append(f"deployed: {deployment['endpoint']} revision {deployment['revision']}; `modelmint up` serves it")
    if card := body["reports"].get("card"):
        lines.append(f"report: modelmint export {card} report  (README.md, report.html)")
    return lines


def list_rows(bodies: Sequence[Body], columns: Mapping[str, str | Callable[[Body], str]], *, empty: str) -> None:
    out = console()
    if not bodies:
        out.print(empty, highlight=False)
        return
    table = titled_table(None, *columns)
    for body in bodies:
        table.add_row(*(str(body[read]) if isinstance(read, str) else read(body) for read in columns.values()))
    out.print(table)


def titled_table(title: str | None, *columns: str) -> Table:
    # A title that is wider than its table would be wrapped.
    said = None if title is None else Text.from_markup(title, overflow="ignore")
    if said is not None:
        said.no_wrap = True
    table = Table(title=said, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    return table


def console() -> Console:
    """As wide as the terminal; wide enough for whole ids in a file or a pipe."""
    made = Console(soft_wrap=True)
    return made if made.is_terminal else Console(width=180)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
