"""The page of a training: how it went, step by step and epoch by epoch, what it took, and with which knobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said
from modelmint.core.figures import is_share, title_of, written
from modelmint.core.formats import percent
from modelmint.core.pages import Headline, Section, figure, page, pair, table
from modelmint.training.tabular import page as tabular

MB = 1_000_000
PACE = (
    ("examples_per_s", "Rows a second", "of one step, or the mean of several", 1),
    ("tokens_per_s", "Tokens a second", "that were computed, without padding", 1),
    ("memory_bytes", "Memory in MB", "that the process held, after a step", MB),
    ("gpu_memory_bytes", "Memory of the GPU in MB", "that the process held, after a step", MB),
)


def training_page(facts: Mapping[str, Any], measured: Mapping[str, Any], *, name: str) -> str:
    """``report.html`` of the facts and the measured figures of a training report; `name` is that of the rows."""
    history = facts["history"]
    metric = _metric(history)
    ended = "stopped early" if facts["stopped_early"] else "went its whole length"
    return page(
        title="Training",
        about=f"{facts['task']} · {name}",
        lead=f"{facts['num_rows']:,} rows, {_went(facts)}; it {ended}.",
        headlines=[
            *_best(facts, metric),
            Headline(
                name="training loss",
                value=f"{history[-1]['train_loss']:.3f}",
                note=f"{facts['curve'][0]['loss']:.3f} at the first step" if facts["curve"] else "",
            ),
            Headline(name="time", value=_time(measured["seconds"]), note=f"{measured['examples_per_s']:,.0f} rows/s"),
            Headline(
                name=_whose_memory(measured),
                value=f"{measured['memory_bytes'] / MB:,.0f} MB",
                note=str(measured["cost"]),
            ),
        ],
        sections=[
            one
            for one in (
                *tabular.sections(facts),
                _curves(facts, metric),
                _pace(measured),
                _epochs(history),
                _model(facts),
                _knobs(facts),
            )
            if one
        ],
        warnings=_warnings(facts, measured),
    )


def _went(facts: Mapping[str, Any]) -> str:
    if facts["parameters"]:
        epochs = f"{facts['steps']:,} steps over {len(facts['history'])} epochs"
        return f"{epochs}, of which the weights of epoch {facts['best_epoch']} were kept"
    return f"{facts['steps']:,} rounds, of which the first {facts['best_epoch']:,} were kept"


def _metric(history: Sequence[Mapping[str, Any]]) -> str | None:
    """The name of the validation score beside the loss."""
    names = [name for name in history[-1] if name.startswith("validation_") and name != "validation_loss"]
    return names[0].removeprefix("validation_") if names else None


def _best(facts: Mapping[str, Any], metric: str | None) -> list[Headline]:
    if metric is None:
        return []
    kept = next((row for row in facts["history"] if row["epoch"] == facts["best_epoch"]), facts["history"][-1])
    note = f"on {facts['num_validation_rows']:,} validation rows"
    return [Headline(name=title_of(metric), value=written(metric, kept[f"validation_{metric}"]), note=note)]


def _curves(facts: Mapping[str, Any], metric: str | None) -> Section | None:
    curve, history = facts["curve"], facts["history"]
    if len(curve) < 2:
        return None
    drawn = [
        figure(
            charts.curves(_said("loss", "Training loss by step", curve[0]["loss"], curve[-1]["loss"]), [("accent", _points(curve, "loss"))]),
            "Training loss",
            "by step; what is minimised, with label smoothing and weights",
        ),
    ]  # fmt: skip
    if len(history) > 1 and metric is not None:
        values = [(float(row["epoch"]), float(row[f"validation_{metric}"])) for row in history]
        said = _said("score", f"{title_of(metric)} by epoch", values[0][1], values[-1][1])
        drawing = charts.curves(said, [("accent deep", values)], percent=is_share(metric))
        drawn.append(figure(drawing, title_of(metric), "by epoch, on the validation rows"))
    small = [
        figure(
            charts.curves(_said(key, title, curve[0][key], curve[-1][key]), [("accent mid", _points(curve, key))]), title, note
        )
        for key, title, note in (
            ("learning_rate", "Learning rate", "of the base's weights, by step"),
            ("gradient_norm", "Length of the gradient", "before it is shortened to max_grad_norm"),
        )
    ]  # fmt: skip
    return Section(heading="How it went", parts=[pair(*drawn), pair(*small)])


def _pace(measured: Mapping[str, Any]) -> Section | None:
    pace = measured.get("pace", {})
    if len(pace.get("step", ())) < 2:
        return None
    drawn = [
        figure(charts.curves(_said(key, title, values[0], values[-1]), [("accent mid", list(points))]), title, note)
        for key, title, note, unit in PACE
        if key in pace
        for values in ([value / unit for value in pace[key]],)
        for points in (zip(map(float, pace["step"]), values, strict=True),)
    ]
    padding = f"; {percent(measured['padding'])} of what was computed was padding" if "padding" in measured else ""
    pairs = [pair(*drawn[at : at + 2]) for at in range(0, len(drawn), 2)]
    return Section(heading="How fast it went", note=f"Steps alone, by step{padding}.", parts=pairs)


def _epochs(history: Sequence[Mapping[str, Any]]) -> Section:
    names = list(history[-1])
    rows = [[_cell(row.get(name)) for name in names] for row in history]
    return Section(heading="Epochs", parts=[table([name.replace("_", " ") for name in names], rows)])


def _model(facts: Mapping[str, Any]) -> Section:
    trained, every = facts["trained_parameters"], facts["parameters"]
    method = facts["hyperparameters"]["method"]["name"]
    rows = {
        "base": facts["base"],
        "method": method,
        "parameters": f"{every:,}",
        "trained": f"{trained:,} ({percent(trained / max(every, 1))})",
        "precision": facts["precision"],
        "training rows": f"{facts['num_rows']:,}",
        "validation rows": f"{facts['num_validation_rows']:,}",
    }
    return Section(heading="What was trained", parts=[table(["", ""], list(rows.items()))])


def _knobs(facts: Mapping[str, Any]) -> Section:
    knobs = {name: value for name, value in facts["hyperparameters"].items() if name not in ("method", "options")}
    for part in ("method", "options"):
        given = facts["hyperparameters"][part]
        knobs |= {f"{part}.{name}": value for name, value in given.items()}
    shown = [[name, "–" if value is None else str(value)] for name, value in sorted(knobs.items())]
    half = -(-len(shown) // 2)
    parts: list[Markup] = [table(["knob", "value"], shown[:half]), table(["knob", "value"], shown[half:])]
    return Section(
        heading="Knobs", note=f"All of them, those that were not set too.{_found(facts)}", parts=[pair(*parts)]
    )


def _found(facts: Mapping[str, Any]) -> str:
    if not (found := facts.get("found")):
        return ""
    values = ", ".join(f"{name} {value}" for name, value in found["values"].items())
    return f" A search of {found['num_trials']} trials found {values}."


def _warnings(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> list[str]:
    found = []
    if not facts["num_validation_rows"]:
        found.append("There were no validation rows: the last epoch was kept, and nothing says how good it is.")
    size = measured["micro_batch_size"]
    asked = facts["hyperparameters"].get("micro_batch_size", size)
    if size != asked:
        found.append(f"Memory did not hold a whole batch: it was computed {size} rows at a time, with the same result.")
    return found


def _points(curve: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(float(point["step"]), float(point[key])) for point in curve]


def _said(name: str, title: str, first: float, last: float) -> Said:
    return Said(name=name, title=title, about=f"{title}: from {first:.4g} to {last:.4g}")


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _whose_memory(measured: Mapping[str, Any]) -> str:
    workers = measured.get("workers", 1)
    return "memory" if workers == 1 else f"memory of each of {workers} workers"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
