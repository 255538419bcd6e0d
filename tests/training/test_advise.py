"""Which base to begin from: the order, the reasons, and what a probe tells."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError
from modelmint.core.types import Dataset
from modelmint.training.advice import Advice, Advised, Wishes
from modelmint.training.advise import advise
from tests.tiny_base import questions

Ask = Callable[..., Advised]


@pytest.fixture
def ask(desk: StagingDesk) -> Ask:
    """``ask(rows, bases=..., sell=False)``: advice for text-classification rows, by what is known alone."""

    def run(
        rows: list[dict[str, Any]],
        *bases: Path,
        languages: dict[str, float] | None = None,
        form: str = "text-classification",
        **wishes: Any,
    ) -> Advised:
        data = _dataset(desk, rows, form)
        return advise(
            data,
            Wishes(**{"num_probed": 0, **wishes}),
            languages={"en": 1.0} if languages is None else languages,
            folders=bases,
            num_threads=1,
            machine_hour="3.60 USD",
            say=lambda _done, _total, _message: None,
        )

    return run


def _dataset(desk: StagingDesk, rows: list[dict[str, Any]], form: str) -> Dataset:
    numbered = [{"_row": str(at), **row} for at, row in enumerate(rows)]
    schema = None if rows else pa.schema([("_row", pa.string()), ("text", pa.string()), ("label", pa.string())])
    return desk.dataset("rows", pa.Table.from_pylist(numbered, schema=schema), facts={"task": form})


def _copy(base: Path, folder: Path, *, licence: str = "mit", language: str = "en", **config: Any) -> Path:
    shutil.copytree(base, folder)
    (folder / "README.md").write_text(f"---\nlicense: {licence}\nlanguage:\n- {language}\n---\n# base\n")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


def _of(found: Advised, folder: Path) -> Advice:
    return next(one for one in found.advice if one.name == str(folder))


def test_a_base_in_another_language_is_behind_all_that_read_the_rows(ask: Ask, base: Path, tmp_path: Path) -> None:
    german, english = _copy(base, tmp_path / "de", language="de"), _copy(base, tmp_path / "en")
    found = ask(questions(60), german, english)
    nothing = next(one for one in found.advice if one.name == "none: text-cnn")
    assert _of(found, english).rank < nothing.rank < _of(found, german).rank
    assert "Knows de, and 100% of the rows are in other languages" in _of(found, german).reason


def test_a_base_for_more_of_the_rows_is_ahead(ask: Ask, base: Path, tmp_path: Path) -> None:
    one, both = _copy(base, tmp_path / "de", language="de"), _copy(base, tmp_path / "both")
    (both / "README.md").write_text("---\nlicense: mit\nlanguage: [de, en]\n---\n")
    found = ask(questions(60), one, both, languages={"de": 0.7, "en": 0.3})
    assert _of(found, both).rank < _of(found, one).rank


def test_a_base_whose_tokenizer_knows_few_of_the_words_is_behind_nothing(ask: Ask, base: Path) -> None:
    rows = [{"text": "我的银行卡在哪里", "label": label} for label in ("a", "b")] * 30
    found = ask(rows, base, languages={"zh": 1.0})
    assert _of(found, base).rank > next(one.rank for one in found.advice if one.name == "none: text-cnn")
    assert _of(found, base).unknown_share == 1.0


def test_chinese_rows_begin_from_nothing_by_characters(ask: Ask) -> None:
    found = ask([{"text": "好", "label": "a"}, {"text": "坏", "label": "b"}] * 30, languages={"zh": 1.0})
    made = next(one for one in found.advice if one.name == "none: lstm")
    assert made.train == {"architecture": "lstm", "tokenizer": "characters"}


def test_a_base_that_may_not_be_sold_is_last_where_selling_is_wanted(ask: Ask, base: Path, tmp_path: Path) -> None:
    barred = _copy(base, tmp_path / "nc", licence="cc-by-nc-4.0")
    told = _of(found := ask(questions(60), barred), barred)
    assert told.rank == len(found.advice)
    assert told.may_be_sold == "no"
    assert "CC-BY-NC-4.0 does not let a model from it be sold" in told.reason


def test_a_base_that_may_not_be_sold_is_as_good_where_it_is_not_sold(ask: Ask, base: Path, tmp_path: Path) -> None:
    barred = _copy(base, tmp_path / "nc", licence="cc-by-nc-4.0")
    assert _of(ask(questions(60), barred, sell=False), barred).rank <= 2


def test_bases_of_another_kind_are_left_out(ask: Ask, base: Path, tmp_path: Path) -> None:
    writer = _copy(base, tmp_path / "writer", architectures=["LlamaForCausalLM"], model_type="llama")
    assert str(writer) not in [one.name for one in ask(questions(60), writer).advice]


def test_what_is_not_here_is_named_unless_only_local(ask: Ask, base: Path) -> None:
    away = [one for one in ask(questions(60), base).advice if not one.is_here]
    assert away
    assert all(one.how_to_get for one in away)
    assert all(one.is_here for one in ask(questions(60), base, only_local=True).advice)


def test_a_base_that_cannot_be_used_is_told_with_the_reason(ask: Ask, base: Path, tmp_path: Path) -> None:
    broken = _copy(base, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    assert "lacks model.safetensors" in ask(questions(60), broken).unusable[str(broken)]


def test_a_table_is_told_its_own_ways(ask: Ask) -> None:
    rows = [{"age": float(at), "label": "old" if at > 30 else "young"} for at in range(60)]
    found = ask(rows, form="tabular-classification", languages={})
    assert [one.train["options"]["model"] for one in found.advice] == ["boosting", "linear", "network"]


def test_another_task_of_the_same_rows_stands_in_the_recipe(ask: Ask, base: Path) -> None:
    found = ask(questions(60), base, task="text-embedding")
    assert _of(found, base).train == {"task": "text-embedding", "base": str(base), "max_tokens": 40}  # all it reads


def test_an_empty_set_is_refused(ask: Ask) -> None:
    with pytest.raises(DataError, match="must hold rows; rows has none"):
        ask([])


def test_a_task_without_a_base_here_says_where_bases_may_lie(ask: Ask) -> None:
    rows = [{"prompt": [{"role": "user", "content": "hi"}], "chosen": [], "rejected": []}]
    with pytest.raises(InputError, match="preference, which begins from a base") as caught:
        ask(rows, form="preference", only_local=True)
    assert "MODELMINT_HOME/bases" in str(caught.value.remedy)


def test_an_unknown_task_is_refused_by_name(ask: Ask) -> None:
    with pytest.raises(InputError, match="task: must be one of"):
        ask(questions(60), task="text-classificatoin")


def test_money_becomes_the_time_that_it_buys() -> None:
    wishes = Wishes.of(minutes=None, cost="0.10 USD", machine_hour="3.60 USD")
    assert wishes.seconds == pytest.approx(100.0)


@pytest.mark.parametrize(("minutes", "cost", "said"), [(1.0, "1 USD", "got both"), (None, "1 EUR", "must be in USD")])
def test_a_budget_that_cannot_be_read_is_refused(minutes: float | None, cost: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Wishes.of(minutes=minutes, cost=cost, machine_hour="0.10 USD")


@pytest.mark.slow
def test_a_probe_tells_time_and_what_is_reached_at_least(ask: Ask, base: Path) -> None:
    found = ask(questions(400), base, num_probed=1, only_local=True, seconds=0.001, limit_s=250)
    tried = next(one for one in found.advice if one.seconds_are == "measured")
    assert tried.expected is not None
    assert tried.expected["low"] <= tried.expected["value"] <= tried.expected["high"]
    assert tried.in_budget is False
    assert "more than the budget" in tried.reason
    assert found.cheap_way is not None
    assert found.cheap_way["value"] > 0.9  # the label follows from one word
