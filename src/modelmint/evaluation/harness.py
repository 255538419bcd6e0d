"""Tasks of lm-evaluation-harness put to a trained language model: its prompts and metrics, our model, rows on this machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from pydantic import Field, model_validator

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import InputError
from modelmint.core.gates import refusals
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.harness_page import harness_page
from modelmint.evaluation.harnessed.definitions import Definition, definitions, folder_digest
from modelmint.evaluation.harnessed.gates import judge, parse
from modelmint.evaluation.harnessed.lm_eval_tasks import opened, tasks_folder, unfit, version

TASKS = ("text-generation", "chat")
NUM_SHOWN = 5
SHOWN_CHARS = 400
MAX_CHARS = 20_000
FEW_ROWS = 200
ANSWERS = pa.schema([(name, pa.string()) for name in ("_row", "task", "asked", "target", "answer", "figures")])


class HarnessSpec(Spec):
    """Which tasks of lm-evaluation-harness are asked, how, and what their figures must be.

    The library is an extra: `pip install "modelmint[harness]"`.
    """

    tasks: tuple[str, ...] = Field(min_length=1, max_length=200)
    """Names of tasks: of the library's own, or of those in `include`. Groups are named task by task."""
    include: str | None = Field(default=None, min_length=1, json_schema_extra={"path": True})
    """A folder with task files of your own (*.yaml) and their rows (JSON lines, CSV or Parquet, by `data_files`)."""
    num_fewshot: int | None = Field(default=None, ge=0, le=100)
    """How many examples with their answers stand before each question; by default what each task says, else none. A task
    that says 0 itself stays with it.
    """
    limit: int | None = Field(default=None, ge=1)
    """At most so many rows of each task, the first ones."""
    chat_template: bool | None = None
    """Whether questions are asked as chats, by the model's template, examples as turns. By default that is so for a chat
    model, and never for a model of texts, which has none.
    """
    system: str | None = Field(default=None, min_length=1, max_length=10_000)
    """What stands before every question; with a chat template, as the system's message."""
    max_tokens: int | None = Field(default=None, ge=2)
    """How much of a question and its examples is read, its end; by default what the model was trained with."""
    gates: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """What a figure must be, as {task/metric: ">= 0.60"}; a filter with a name stands behind a colon. What cannot be
    computed refuses the model.
    """

    @model_validator(mode="after")
    def _gates_are_of_tasks(self) -> Self:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks: must name each task once; got {', '.join(self.tasks)}")
        try:
            parse(self.gates, self.tasks)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self


@dataclass(frozen=True, kw_only=True)
class HarnessInputs:
    """A model trained for texts or for chats, not a variant of it."""

    model: Model


@dataclass(frozen=True, kw_only=True)
class HarnessOutputs:
    harness: Report
    answers: Dataset


def harness(spec: HarnessSpec, inputs: HarnessInputs, ctx: StageContext) -> HarnessOutputs:
    """Put the tasks to the model, one after another, measure by their metrics, and hold the gates.

    Raises:
        UnavailableError: lm-eval is not installed.
        NotFoundError: there is no such task.
        InputError: a task needs code that was not allowed, or data that is not on this machine; or the model is for
            another kind of task, or has no chat template.
        DataError: a task's rows do not fit its file.
    """
    include = Path(spec.include).expanduser() if spec.include is not None else None
    wanted = definitions(spec.tasks, include, tasks_folder())
    task = _model_task(inputs.model)
    templated = _templated(spec, task)
    tasks = []
    for at, one in enumerate(wanted):
        ctx.check()
        ctx.say(at, len(wanted), "reading tasks")
        tasks.append(opened(one, num_fewshot=spec.num_fewshot, seed=ctx.seed))
    started_s = monotonic_s()
    run = _Run(spec, inputs.model, ctx, templated=templated)
    for definition, one in zip(wanted, tasks, strict=True):
        run.ask(definition, one)
    facts = run.facts(task)
    measured = {"seconds": round(monotonic_s() - started_s, 3)}
    page = harness_page(facts, measured)
    return HarnessOutputs(
        harness=ctx.desk.report("harness", facts, measured=measured, renderings={"report.html": page}),
        answers=ctx.desk.dataset("answers", pa.Table.from_pylist(run.answers, schema=ANSWERS)),
    )


def fingerprint(spec: HarnessSpec) -> str:
    """What the stage reads beside its inputs: the library's version, and the files of `include`."""
    return "|".join([version(), "" if spec.include is None else folder_digest(Path(spec.include).expanduser())])


class _Run:
    """What was asked so far. Opening it opens the model."""

    def __init__(self, spec: HarnessSpec, model: Model, ctx: StageContext, *, templated: bool) -> None:
        import torch

        from modelmint.evaluation.harnessed.asked import AskedModel
        from modelmint.training.tasks import open_model

        torch.set_num_threads(ctx.num_threads)
        self._spec, self._model, self._ctx, self._templated = spec, model, ctx, templated
        by_tokens = open_model(model.files.folder()).by_tokens()  # type: ignore[attr-defined]  # of `TASKS` both have it
        self._asked = AskedModel(by_tokens.reading(spec.max_tokens), ctx, templated=templated)
        self.answers: list[JSON] = []
        self._tasks: list[JSON] = []
        self._metrics: dict[str, JSON] = {}
        self._missing: dict[str, str] = {}
        self._shown: dict[str, list[JSON]] = {}

    def ask(self, definition: Definition, task: Any) -> None:
        """Put one task to the model."""
        from jinja2 import TemplateError
        from lm_eval.evaluator import evaluate

        from modelmint.evaluation.harnessed.figures import figures_of

        name = definition.name
        self._ctx.check()
        self._ctx.say(len(self._tasks), len(self._spec.tasks), f"asking {name}")
        try:
            found = evaluate(
                lm=self._asked,
                task_dict={"tasks": {name: task}, "groups": {}, "group_map": {}},
                limit=self._spec.limit,
                bootstrap_iters=0,
                log_samples=True,
                system_instruction=self._spec.system,
                apply_chat_template=self._templated,
                fewshot_as_multiturn=self._templated,
            )
        except (TemplateError, ValueError, TypeError, KeyError, IndexError, AssertionError, SyntaxError) as error:
            raise unfit(name, error) from error
        samples = found["samples"][name]
        figures, missing = figures_of(task, samples, seed=self._ctx.seed)
        self._metrics |= {f"{name}/{metric}": one for metric, one in figures.items()}
        self._missing |= {f"{name}/{metric}": why for metric, why in missing.items()}
        self._tasks.append(_about(definition, task, samples))
        answers = [_answer(name, sample) for sample in samples]
        self.answers += answers
        self._shown[name] = [
            {key: _short(one[key]) for key in ("asked", "target", "answer", "figures")} for one in answers[:NUM_SHOWN]
        ]

    def facts(self, task: str) -> JSON:
        """The report."""
        spec, values = self._spec, {name: float(one["value"]) for name, one in self._metrics.items()}
        verdicts = judge(parse(spec.gates, spec.tasks), values, self._missing)
        return {
            "library": f"lm-eval {version()}",
            "model": self._model.name,
            "task": task,
            "chat_template": self._templated,
            "system": spec.system,
            "limit": spec.limit,
            "tasks": self._tasks,
            "metrics": self._metrics,
            "not_computed": self._missing,
            "num_asked": self._asked.num_asked,
            "num_cut": self._asked.num_cut,
            "shown": self._shown,
            "gates": [dict(verdict) for verdict in verdicts],
            "refused": refusals(verdicts),
            "warnings": self._warnings(),
        }

    def _warnings(self) -> list[JSON]:
        warned: list[JSON] = []
        if (num := self._asked.num_cut) > 0:
            message = (
                f"{num:,} of {self._asked.num_asked:,} questions are longer than the model reads, and lost their beginning: "
                "raise max_tokens, or show fewer examples"
            )
            warned.append({"name": "cut", "message": message})
        few = [one["name"] for one in self._tasks if one["num_rows"] < FEW_ROWS]
        if few:
            message = f"of {', '.join(few)} fewer than {FEW_ROWS} rows were asked: the intervals are wide"
            warned.append({"name": "few_rows", "message": message})
        return warned


def _model_task(model: Model) -> str:
    from modelmint.training.tasks import read_about

    task = str(read_about(model.files.folder())["task"])
    if task not in TASKS:
        raise InputError(
            f"model: must be trained for {' or '.join(TASKS)}; {model.name} is for {task}",
            parameter="model",
            remedy="Use `evaluate`, which measures every task.",
        )
    return task


def _templated(spec: HarnessSpec, task: str) -> bool:
    if spec.chat_template and task != "chat":
        raise InputError(
            f"chat_template: must be false for a model that has none; this one is for {task}",
            parameter="chat_template",
            remedy="Leave it out.",
        )
    return task == "chat" if spec.chat_template is None else spec.chat_template


def _about(definition: Definition, task: Any, samples: Sequence[JSON]) -> JSON:
    config = definition.config
    return {
        "name": definition.name,
        "kind": str(task.OUTPUT_TYPE),
        "num_fewshot": int(task.config.num_fewshot),
        "num_rows": len({sample["doc_id"] for sample in samples}),
        "num_there": len(task.eval_docs),
        "rows": ", ".join(str(config[key]) for key in ("dataset_path", "dataset_name") if config.get(key)),
        "code": sorted({one.name for one in definition.functions}),
    }


def _answer(name: str, sample: JSON) -> JSON:
    """One row: what was asked first, and what came of it."""
    behind = "" if sample["filter"] == "none" else f":{sample['filter']}"
    first = sample["arguments"][0]
    return {
        "_row": f"{name}/{sample['doc_id']}{behind}",
        "task": name,
        "asked": str(first[0])[:MAX_CHARS],
        "target": _text(sample["target"])[:MAX_CHARS],
        "answer": _text(_said(sample))[:MAX_CHARS],
        "figures": _text({metric: _plain(sample[metric]) for metric in sample["metrics"]})[:MAX_CHARS],
    }


def _said(sample: JSON) -> Any:
    """What was written; of choices the likeliest, with how likely each is."""
    said = [_plain(one) for one in sample["filtered_resps"]]
    if len(said) < 2 or not all(isinstance(one, list) and len(one) == 2 for one in said):
        return said[0] if len(said) == 1 else said
    likely = [one[0] for one in said]
    best = max(range(len(likely)), key=lambda at: likely[at])
    return {"likeliest": sample["arguments"][best][1], "place": best, "log_probabilities": likely}


def _plain(value: Any) -> Any:
    """A figure as a page can show it."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return round(value, 4) if isinstance(value, float) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(text: str) -> str:
    """The end of a long text: what is asked stands there."""
    return text if len(text) <= SHOWN_CHARS else f"…{text[-SHOWN_CHARS:]}"


__all__ = ["HarnessInputs", "HarnessOutputs", "HarnessSpec", "fingerprint", "harness"]
