"""Tasks of lm-evaluation-harness made from definitions: its prompts, filters and metrics, its templates in Jinja's sandbox."""

import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelmint.core.errors import DataError, InputError, UnavailableError
from modelmint.evaluation.harnessed.definitions import Definition, Function, module_file
from modelmint.evaluation.harnessed.rows import rows_of

FILTERS = frozenset({
    "take_first", "take_first_k", "majority_vote", "regex", "regex_pos", "multi_choice_regex", "remove_whitespace",
    "lowercase", "uppercase", "map", "format_span",
})  # fmt: skip
GENERATION = frozenset({
    "until", "do_sample", "temperature", "top_p", "top_k", "max_gen_toks", "max_new_tokens", "max_tokens", "num_beams",
})  # fmt: skip
TEMPLATES = (
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "description",
    "gen_prefix",
    "doc_to_decontamination_query",
)
SAMPLERS = ("default", "first_n")
MOST_REPEATS = 100


def tasks_folder() -> Path:
    """Where lm-eval keeps its own tasks.

    Raises:
        UnavailableError: it is not installed.
    """
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        raise UnavailableError(
            "harness: needs the library lm-eval, which is not installed",
            parameter="harness",
            remedy='pip install "modelmint[harness]".',
        )
    return Path(found.origin).parent / "tasks"


def version() -> str:
    """That of lm-eval; empty where it is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("lm_eval")
    except PackageNotFoundError:
        return ""


def opened(definition: Definition, *, num_fewshot: int | None, seed: int) -> Any:
    """The task with its rows, ready to be asked; what it draws, it draws by the seed.

    Raises:
        InputError: it needs what is not taken here, or its data is not on this machine.
        DataError: its rows do not fit its templates.
    """
    seal()
    from jinja2 import TemplateError
    from lm_eval.api.task import ConfigurableTask

    config = _checked(definition)
    rows = rows_of(definition)
    for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
        if config.get(key) is not None and config[key] not in rows:
            raise _refused(definition, f"names the {key} {config[key]!r}, and there are {', '.join(rows)}")
    if not any(config.get(key) for key in ("test_split", "validation_split")):
        raise _refused(definition, "names neither a test_split nor a validation_split")
    try:
        task = ConfigurableTask(
            config={**config, "dataset_kwargs": None, "metadata": None, "custom_dataset": lambda: rows}
        )
    except (
        TemplateError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        SyntaxError,
        AssertionError,
        ImportError,
    ) as error:
        raise unfit(definition.name, error) from error
    if num_fewshot is not None and config.get("num_fewshot") != 0:  # 0 in the task itself is a word, as in lm-eval
        task.set_config(key="num_fewshot", value=num_fewshot)
    elif config.get("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=seed)
    return task


def unfit(name: str, error: Exception) -> DataError:
    """The error where a task's rows are not what its templates read, or its functions fail."""
    why = str(error).strip().partition("\n")[0][:300] or type(error).__name__
    return DataError(
        f"tasks: the rows of a task must fit its file; {name} says {type(error).__name__}: {why}",
        parameter="tasks",
        remedy="Mend the task's templates or its rows.",
    )


def seal() -> None:
    """Let the library render templates in Jinja's sandbox alone: as it comes, a template could run any Python."""
    from jinja2 import BaseLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from lm_eval import utils

    if not isinstance(utils.env, ImmutableSandboxedEnvironment):
        sealed = ImmutableSandboxedEnvironment(
            loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True
        )
        sealed.filters["regex_replace"] = utils.regex_replace
        utils.env = sealed
    logging.getLogger("lm_eval").setLevel(logging.ERROR)


def _checked(definition: Definition) -> dict[str, Any]:
    """The config with its functions, once each name in it is one of the library's own."""
    from lm_eval.api.registry import AGGREGATION_REGISTRY, METRIC_REGISTRY

    config = dict(definition.config)
    for key in ("process_docs", "process_results"):
        if config.get(key) is not None and not isinstance(config[key], Function):
            raise _refused(definition, f"has {key} that is no function")
    for metric in _mappings(definition, config, "metric_list"):
        name, aggregation = metric.get("metric"), metric.get("aggregation")
        if metric.get("hf_evaluate"):
            raise _refused(
                definition, f"takes the metric {name!r} from the hub (hf_evaluate), whose code is not run here"
            )
        plain = config.get("process_results") is None and not isinstance(name, Function)
        if plain and name not in METRIC_REGISTRY:
            raise _refused(definition, f"has the metric {name!r}, which lm-eval does not have itself")
        if isinstance(aggregation, str) and aggregation not in AGGREGATION_REGISTRY:
            raise _refused(definition, f"has the aggregation {aggregation!r}, which lm-eval does not have")
    for pipeline in _mappings(definition, config, "filter_list"):
        for one in _mappings(definition, pipeline, "filter"):
            named = one.get("function")
            if named not in FILTERS and not (named == "custom" and isinstance(one.get("filter_fn"), Function)):
                raise _refused(definition, f"has the filter {named!r}; known are {', '.join(sorted(FILTERS))}")
    _check_generation(definition, config.get("generation_kwargs") or {})
    _check_fewshot(definition, config.get("fewshot_config") or {})
    repeats = config.get("repeats", 1)
    if not isinstance(repeats, int) or not 1 <= repeats <= MOST_REPEATS:
        raise _refused(definition, f"has repeats of {repeats!r}; they must be 1 to {MOST_REPEATS}")
    return {key: _resolved(value, definition) for key, value in config.items()}


def _check_generation(definition: Definition, given: Any) -> None:
    strange = sorted(set(given) - GENERATION) if isinstance(given, Mapping) else [repr(given)]
    if strange or (isinstance(given, Mapping) and given.get("num_beams", 1) != 1):
        raise _refused(
            definition, f"asks to write with {', '.join(map(str, strange)) or 'several beams'}, which is not here"
        )


def _check_fewshot(definition: Definition, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise _refused(definition, "has a fewshot_config that is no mapping")
    if given.get("sampler", "default") not in SAMPLERS:
        raise _refused(definition, f"has the sampler {given['sampler']!r}; known are {', '.join(SAMPLERS)}")


def _mappings(definition: Definition, config: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    given = config.get(key) or []
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise _refused(definition, f"has a {key} that is no list of mappings")
    return given


def _resolved(value: Any, definition: Definition) -> Any:
    """The value with functions in the place of their names. Their code was allowed before."""
    if isinstance(value, Function):
        return _imported(value, definition)
    if isinstance(value, dict):
        return {key: _resolved(one, definition) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, definition) for one in value]
    return value


def _imported(function: Function, definition: Definition) -> Callable[..., Any]:
    path = module_file(function, definition.name, definition.root)
    spec = importlib.util.spec_from_file_location(f"modelmint_task_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _refused(definition, f"names {function.name}, whose file cannot be read")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found: Callable[..., Any] = getattr(module, function.name.rpartition(".")[2])
    except (ImportError, AttributeError, SyntaxError, OSError, ValueError, TypeError) as error:
        raise unfit(definition.name, error) from error
    return found


def _refused(definition: Definition, why: str) -> InputError:
    return InputError(
        f"tasks: {definition.name} cannot be used; {definition.file} {why}",
        parameter="tasks",
        remedy="Take another task, or a copy of this one in a folder of your own (`include`) without it.",
    )
