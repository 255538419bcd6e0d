"""Task files are read as data: what a stranger's file may not do, it cannot do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError, InputError, NotFoundError
from modelmint.evaluation.harnessed.definitions import code_digest, definitions

pytest.importorskip("lm_eval")

from modelmint.evaluation.harnessed.lm_eval_tasks import opened, tasks_folder  # needs lm-eval

PLAIN = """
task: mine
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["."]}
metric_list:
- {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
Open = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(
        "".join(json.dumps({"question": f"q{at}", "answer": "a"}) + "\n" for at in range(5))
    )
    return folder


@pytest.fixture
def open_task(folder: Path) -> Open:
    def run(text: str = PLAIN, name: str = "mine") -> Any:
        (folder / "mine.yaml").write_text(text)
        (definition,) = definitions([name], folder, tasks_folder())
        return opened(definition, num_fewshot=None, seed=1)

    return run


def test_a_plain_task_is_opened_with_its_rows(open_task: Open) -> None:
    task = open_task()
    assert (len(task.eval_docs), task.doc_to_text(task.eval_docs[0])) == (5, "q0")


def test_what_a_file_includes_is_taken_and_its_own_words_win(open_task: Open, folder: Path) -> None:
    (folder / "common.yaml").write_text(PLAIN.replace("task: mine\n", ""))
    task = open_task('include: common.yaml\ntask: mine\ndoc_to_text: "Q {{question}}"\n')
    assert task.doc_to_text(task.eval_docs[1]) == "Q q1"


def test_two_files_of_one_task_are_refused(open_task: Open, folder: Path) -> None:
    (folder / "again.yaml").write_text(PLAIN)
    with pytest.raises(InputError, match="same task"):
        open_task()


def test_a_function_is_refused_and_not_run(open_task: Open, folder: Path, tmp_path: Path) -> None:
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef docs(rows): return rows\n")
    with pytest.raises(InputError, match=r"own\.docs") as refused:
        open_task(PLAIN + "process_docs: !function own.docs\n")
    assert f"mine@{code_digest(folder)}" in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_a_function_that_the_operator_allowed_runs(
    open_task: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own.py").write_text("def docs(rows): return rows.select(range(2))\n")
    monkeypatch.setenv("MODELMINT_ALLOW_CODE", f"mine@{code_digest(folder)}")
    assert len(open_task(PLAIN + "process_docs: !function own.docs\n").eval_docs) == 2
    (folder / "own.py").write_text("def docs(rows): return rows\n")
    with pytest.raises(InputError, match="allowed"):
        open_task(PLAIN + "process_docs: !function own.docs\n")


@pytest.mark.parametrize(
    "line",
    [
        "process_docs: !function os.system",
        "process_docs: !function ../outside.docs",
        "doc_to_target: !!python/object/apply:os.system [echo]",
        "process_docs: os.system",
        "custom_dataset: own.rows",
        "class: own.Task",
        "unsafe_code: true",
        "use_prompt: 'promptsource:x'",
        "doc_to_image: picture",
        "include: ../outside.yaml",
        "include: /etc/hostname",
        "include: mine.yaml",
        "metric_list: [{metric: ./own}]",
        "metric_list: [{metric: accuracy}]",
        "metric_list: [{metric: exact_match, hf_evaluate: true}]",
        "metric_list: [{metric: exact_match, aggregation: own}]",
        "filter_list: [{name: a, filter: [{function: custom, filter_fn: print}]}]",
        "filter_list: [{name: a, filter: [{function: unknown}]}]",
        "generation_kwargs: {custom_generate: own, until: ['.']}",
        "generation_kwargs: {num_beams: 4, until: ['.']}",
        "fewshot_config: {sampler: own}",
        "repeats: 100000",
        "test_split: other",
        "dataset_kwargs: {data_files: {test: ../rows.jsonl}}",
        "dataset_kwargs: {data_files: {test: /etc/passwd}}",
        "dataset_kwargs: {data_files: {test: 'https://example.org/rows.jsonl'}}",
        "dataset_kwargs: {data_files: {test: link.jsonl}}",
        "dataset_kwargs: {data_files: {test: missing.jsonl}}",
        "dataset_kwargs: {data_files: {test: rows.jsonl}, trust_remote_code: true}",
        "dataset_kwargs: {data_files: {test: rows.jsonl}, data_dir: /etc}",
        "dataset_path: ../tasks",
        "dataset_path: /etc",
        "dataset_path: own.py",
        "metadata: &a [*a]",
    ],
)
def test_a_file_that_reaches_further_is_refused(open_task: Open, folder: Path, line: str) -> None:
    (folder.parent / "outside.yaml").write_text("doc_to_text: outside\n")
    (folder.parent / "outside.py").write_text("def docs(rows): return rows\n")
    (folder.parent / "rows.jsonl").write_text('{"question": "secret", "answer": "s"}\n')
    (folder / "link.jsonl").symlink_to(folder.parent / "rows.jsonl")
    key = line.partition(":")[0]
    kept = [one for one in PLAIN.splitlines() if not one.startswith(f"{key}:")]
    if key == "metric_list":
        kept = [one for one in kept if not one.startswith("- ")]
    if key == "dataset_path":
        kept = [one for one in kept if not one.startswith("dataset_kwargs")]
    with pytest.raises(InputError):
        open_task("\n".join([*kept, line, ""]))


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ question.__class__.__base__ }}",
        "{{ '{0.__class__.__mro__}'.format(question) }}",
    ],
)
def test_a_template_stays_in_the_sandbox(open_task: Open, template: str) -> None:
    with pytest.raises(DataError, match=r"unsafe|Security"):
        open_task(PLAIN.replace("{{question}}", template))


def test_a_bomb_of_aliases_is_refused(open_task: Open) -> None:
    lines = ["metadata:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 9)]
    with pytest.raises(InputError, match="values"):
        open_task(PLAIN + "\n".join(lines) + "\n")


def test_rows_that_do_not_fit_the_template_are_told_of(open_task: Open) -> None:
    with pytest.raises(DataError, match="mine says UndefinedError"):
        open_task(PLAIN.replace("{{question}}", "{{nothing}}"))


def test_a_broken_line_is_named_by_its_number(open_task: Open, folder: Path) -> None:
    (folder / "rows.jsonl").write_text('{"question": "a", "answer": "b"}\n{"question\n')
    with pytest.raises(DataError, match="line 2"):
        open_task()


def test_csv_and_parquet_are_rows_too(open_task: Open, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    (folder / "rows.csv").write_text("question,answer\nq0,a\nq1,b\n")
    pyarrow.parquet.write_table(pa.table({"question": ["q0"], "answer": ["a"]}), folder / "rows.parquet")
    lengths = [
        len(open_task(PLAIN.replace("json\n", f"{form}\n").replace("rows.jsonl", f"rows.{form}")).eval_docs)
        for form in ("csv", "parquet")
    ]
    assert lengths == [2, 1]


def test_a_task_of_the_library_without_its_data_says_how_to_bring_it() -> None:
    (definition,) = definitions(["lambada_openai"], None, tasks_folder())
    with pytest.raises(InputError, match="nothing is fetched") as refused:
        opened(definition, num_fewshot=None, seed=1)
    assert "load_dataset('EleutherAI/lambada_openai'" in str(refused.value)


def test_a_task_of_the_library_reads_what_the_machine_has_loaded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "test.jsonl").write_text('{"text": "a long story of a house"}\n')
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    built = datasets.load_dataset("json", data_files={"test": str(tmp_path / "rows" / "test.jsonl")})
    made = Path(built["test"].cache_files[0]["filename"]).parent
    place = tmp_path / "cache" / "EleutherAI___lambada_openai" / "default" / "0.0.0" / "abc"
    place.mkdir(parents=True)
    info = json.loads((made / "dataset_info.json").read_text())
    info |= {"dataset_name": "lambada_openai", "config_name": "default"}
    (place / "dataset_info.json").write_text(json.dumps(info))
    (place / "lambada_openai-test.arrow").write_bytes((made / "json-test.arrow").read_bytes())
    (definition,) = definitions(["lambada_openai"], None, tasks_folder())
    task = opened(definition, num_fewshot=None, seed=1)
    assert task.doc_to_text(task.eval_docs[0]) == "a long story of a"


def test_a_task_of_the_library_with_code_must_be_allowed() -> None:
    with pytest.raises(InputError, match="hellaswag has"):
        definitions(["hellaswag"], None, tasks_folder())


def test_an_unknown_task_is_answered_with_a_near_one() -> None:
    with pytest.raises(NotFoundError, match=r"Did you mean.*hellaswag"):
        definitions(["helaswag"], None, tasks_folder())


def test_a_group_is_named_as_one() -> None:
    with pytest.raises(InputError, match="mmlu is a group"):
        definitions(["mmlu"], None, tasks_folder())
