"""What clean keeps, mends, drops and says, for every form of rows."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.clean import CleanInputs, CleanOutputs, CleanSpec, clean, fingerprint

from .conftest import reasons_of, rows_of, texts_of

Make = Callable[..., Dataset]


@pytest.fixture
def cleaned(dataset: Make, context: StageContext) -> Callable[..., CleanOutputs]:
    """``cleaned([(text, label), (text, label, split), ...], casefold=False)``"""

    def run(rows: list[tuple[str, ...]], **spec: Any) -> CleanOutputs:
        names = ("text", "label", "_split")[: max(map(len, rows))]
        data = dataset([dict(zip(names, row, strict=True)) for row in rows])
        return clean(CleanSpec(**spec), CleanInputs(data=data), context)

    return run


@pytest.fixture
def cleaned_form(context: StageContext) -> Callable[..., CleanOutputs]:
    """``cleaned_form("chat", [{"messages": [...]}], quality="short")``; a table's columns are those of its rows."""

    def run(task: str, rows: list[dict[str, Any]], **spec: Any) -> CleanOutputs:
        table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(rows)])
        if not task.startswith("tabular"):
            split = [pa.field("_split", pa.string())] if "_split" in rows[0] else []
            schema = pa.schema([pa.field("_row", pa.string()), *FORMS[task].columns, *split])
            table = pa.Table.from_pylist(table.to_pylist(), schema=schema)
        data = context.desk.dataset("data", table, facts={"task": task})
        return clean(CleanSpec(**spec), CleanInputs(data=data), context)

    return run


Cleaned = Callable[..., CleanOutputs]


def rule_of(outputs: CleanOutputs, name: str) -> dict[str, Any]:
    """What the report says of one rule."""
    return next(rule for rule in outputs.cleaning.facts["rules"] if rule["name"] == name)


def test_texts_are_stored_tidy(cleaned: Cleaned) -> None:
    assert texts_of(cleaned([(" a  b ", "x"), ("c\u200bd", "y")]).data) == ["a b", "cd"]


def test_a_text_of_which_nothing_is_left_goes_to_quarantine(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x"), ("\u200b \u200b", "x"), ("b", "y")])
    assert reasons_of(outputs.quarantine) == ["empty_text"]
    assert outputs.data.facts["rows_quarantined"] == {"empty_text": 1}


def test_the_first_of_equal_rows_is_kept(cleaned: Cleaned) -> None:
    outputs = cleaned([("Hello", "x"), ("b", "y"), ("hello ", "x")])
    assert texts_of(outputs.data) == ["Hello", "b"]
    assert rows_of(outputs.quarantine)[0]["detail"] == "the same text and label as row r0"


def test_case_counts_when_casefold_is_off(cleaned: Cleaned) -> None:
    assert cleaned([("Hello", "x"), ("hello", "x"), ("b", "y")], casefold=False).data.num_rows == 3


def test_all_rows_of_a_conflict_are_dropped(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x"), ("a", "y"), ("b", "y"), ("a", "x")])
    assert texts_of(outputs.data) == ["b"]
    assert [row["detail"][:6] for row in rows_of(outputs.quarantine)] == ["row r1", "row r0", "row r1"]


def test_the_majority_of_a_conflict_can_be_kept(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x"), ("a", "y"), ("a", "x"), ("b", "y"), ("b", "x")], conflicts="majority")
    assert [(row["text"], row["label"]) for row in rows_of(outputs.data)] == [("a", "x")]
    assert sorted(reasons_of(outputs.quarantine)) == ["duplicate", "label_conflict", "label_conflict", "label_conflict"]


def test_conflicts_and_duplicates_can_be_kept(cleaned: Cleaned) -> None:
    assert cleaned([("a", "x"), ("a", "y"), ("a", "x")], conflicts="keep", duplicates="keep").data.num_rows == 3


def test_a_declared_test_set_keeps_its_rows(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x", "test"), ("a", "x", "test"), ("a", "y", "test"), ("b", "y", "train")])
    assert outputs.data.num_rows == 4


def test_training_and_validation_rows_of_the_test_set_are_leaks(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x", "train"), ("a", "x", "validation"), ("A", "x", "test"), ("b", "y", "validation"),
                       ("b", "y", "train"), ("c", "y", "train")])  # fmt: skip
    assert texts_of(outputs.data) == ["A", "b", "c"]
    assert [(row["reason"], row["detail"][-2:]) for row in rows_of(outputs.quarantine)] == [
        ("leak", "r2"), ("leak", "r2"), ("leak", "r3")]  # fmt: skip


def test_no_row_is_lost(cleaned: Cleaned) -> None:
    rows = [(f"text {number % 7000}", f"label {number % 7000 % 9 + number // 18_000}") for number in range(20_000)]
    outputs = cleaned(rows)
    assert outputs.data.num_rows + outputs.quarantine.num_rows == 20_000


def test_nothing_left_is_an_error(cleaned: Cleaned) -> None:
    with pytest.raises(DataError, match="no row is left of 2"):
        cleaned([("a", "x"), ("a", "y")])


def test_the_same_input_gives_the_same_digest(cleaned: Cleaned) -> None:
    rows = [("a", "x"), ("b", "y"), ("a ", "x")]
    assert cleaned(rows).data.digest == cleaned(rows).data.digest


# Rules on text.

LONG = "The committee has met and the members have agreed that the bridge will be built with stone. " * 3


def test_the_report_counts_each_rule_with_examples(cleaned: Cleaned) -> None:
    outputs = cleaned([("caf\u00c3\u00a9  noir", "x"), ("b\u200bc", "y"), ("d", "y")])
    assert {rule["name"]: rule["number"] for rule in outputs.cleaning.facts["rules"] if rule["number"]} == {
        "mojibake": 1, "invisible": 1, "white_space": 1}  # fmt: skip
    assert rule_of(outputs, "invisible")["examples"] == [{"before": "b\u27e8U+200B\u27e9c", "after": "bc"}]


def test_html_is_taken_off_when_asked(cleaned: Cleaned) -> None:
    rows = [("<p>Hi <b>you</b> &amp; me</p>", "x"), ("a < b", "y")]
    assert texts_of(cleaned(rows, html="strip").data) == ["Hi you & me", "a < b"]
    assert texts_of(cleaned(rows).data) == ["<p>Hi <b>you</b> &amp; me</p>", "a < b"]


def test_a_web_page_becomes_its_main_text(cleaned: Cleaned) -> None:
    page = f"<html><body><nav>Home</nav><article><p>{LONG}</p></article><footer>Imprint</footer></body></html>"
    assert texts_of(cleaned([(page, "x"), ("b", "y")], html="page").data) == [LONG.strip(), "b"]


def test_an_example_shows_where_a_long_text_changed(cleaned: Cleaned) -> None:
    (shown,) = rule_of(cleaned([(LONG * 3 + "x  y", "x"), ("b", "y")]), "white_space")["examples"]
    assert shown["before"].endswith("x␣␣y")


def test_full_width_letters_become_plain_with_nfkc(cleaned: Cleaned) -> None:
    assert texts_of(cleaned([("\uff21\uff22\uff23", "x"), ("b", "y")], normal_form="NFKC").data) == ["ABC", "b"]


def test_other_languages_go_and_short_texts_stay(cleaned: Cleaned) -> None:
    rows = [("Where is my new card, please?", "x"), ("Wo ist meine neue Karte, bitte?", "x"), ("ok", "y"),
            ("\u6211\u7684\u94f6\u884c\u5361\u5728\u54ea\u91cc", "y")]  # fmt: skip
    outputs = cleaned(rows, languages=["en", "zh"])
    assert [row["_row"] for row in rows_of(outputs.data)] == ["r0", "r2", "r3"]
    assert rows_of(outputs.quarantine)[0]["detail"].startswith("de (")


def test_lengths_and_links_take_rows_out(cleaned: Cleaned) -> None:
    rows = [
        ("abc", "x"),
        ("abcdefghijkl", "x"),
        ("https://a.example/b me@a.example", "y"),
        ("see https://a.example", "y"),
    ]
    outputs = cleaned(rows, min_chars=4, links_only="drop")
    assert reasons_of(outputs.quarantine) == ["min_chars", "links_only"]
    assert cleaned(rows, max_chars=11).data.num_rows == 1


def test_own_patterns_drop_require_and_replace(cleaned: Cleaned) -> None:
    rows = [("order 12345 is late", "x"), ("my order", "x"), ("hello", "y")]
    patterns = [
        {"name": "numbers", "pattern": r"\d{5}", "action": "replace", "by": "#"},
        {"name": "greeting", "pattern": "(?i)^HELLO"},
        {"name": "orders", "pattern": "order", "action": "require"},
    ]
    outputs = cleaned(rows, patterns=patterns)
    assert texts_of(outputs.data) == ["order # is late", "my order"]
    assert reasons_of(outputs.quarantine) == ["greeting"]


def test_a_pattern_that_could_run_for_ever_is_refused() -> None:
    with pytest.raises(ValidationError, match="backreference"):
        CleanSpec(patterns=[{"name": "twice", "pattern": r"(a+)\1"}])


def test_two_patterns_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="names of their own"):
        CleanSpec(patterns=[{"name": "a", "pattern": "x"}, {"name": "a", "pattern": "y"}])


def test_bad_words_come_from_a_file(cleaned: Cleaned, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("darn\nvery bad\n\u574f\u8bdd\n", encoding="utf-8")
    rows = [("Darn, it broke", "x"), ("a very bad day", "x"), ("\u8bf4\u574f\u8bdd\u4e86", "y"), ("darning wool", "y")]
    outputs = cleaned(rows, bad_words=str(path))
    assert texts_of(outputs.data) == ["darning wool"]
    assert set(reasons_of(outputs.quarantine)) == {"c4_bad_words"}


def test_another_list_of_bad_words_is_another_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("a")
    before = fingerprint(CleanSpec(bad_words=str(path)))
    path.write_text("b")
    assert fingerprint(CleanSpec(bad_words=str(path))) != before


def test_a_preset_fills_the_limits_and_single_ones_win() -> None:
    spec = CleanSpec(quality="web", limits={"min_words": 5, "min_stop_words": None})
    assert (spec.limits.min_words, spec.limits.min_stop_words, spec.limits.max_symbol_ratio) == (5, None, 0.1)
    assert CleanSpec.model_validate(spec.identity()) == spec


def test_short_texts_are_kept_by_default(cleaned: Cleaned) -> None:
    assert cleaned([("ok", "x"), ("no", "y")]).data.num_rows == 2


def test_declared_evaluation_rows_that_fail_are_kept_and_counted(cleaned: Cleaned) -> None:
    outputs = cleaned([("ab", "x", "test"), ("cd", "x", "train"), ("long enough", "y", "train")], min_chars=5)
    assert texts_of(outputs.data) == ["ab", "long enough"]
    assert (rule_of(outputs, "min_chars")["kept_evaluation_rows"], rule_of(outputs, "min_chars")["number"]) == (1, 1)


def test_too_much_taken_out_is_refused_in_the_report(cleaned: Cleaned) -> None:
    rows = [("a", "x"), ("a", "x"), ("b", "y"), ("c", "y")]
    assert cleaned(rows, max_removed=0.2).cleaning.facts["refused"] == [
        "max_removed: 25.0% of the rows were taken out; at most 20.0% are allowed"]  # fmt: skip
    assert cleaned(rows, max_removed=0.3).cleaning.facts["refused"] == []


def test_labels_that_differ_in_case_are_told(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "Spam"), ("b", "spam "), ("c", "ham")])
    assert outputs.cleaning.facts["label_spellings"] == [{"Spam": 1, "spam ": 1}]


def test_the_page_shows_what_was_taken_out_and_runs_nothing(cleaned: Cleaned) -> None:
    outputs = cleaned([("<script>alert(1)</script>", "x"), ("a", "x"), ("a", "x"), ("b", "y")], max_chars=3)
    with outputs.cleaning.files.open("report.html") as stream:
        page = stream.read().decode()
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_quarantined_rows_are_kept_whole(cleaned: Cleaned) -> None:
    outputs = cleaned([("a ", "x", "train"), ("a", "x", "train"), ("b", "y", "train")])
    assert json.loads(rows_of(outputs.quarantine)[0]["cells"]) == {
        "_row": "r1", "text": "a", "label": "x", "_split": "train"}  # fmt: skip


# Every form of rows.


def test_code_keeps_its_lines(cleaned_form: Cleaned) -> None:
    code = "def f(x):\r\n    return  x \n\n\n\n\n\ny = 1\n"
    outputs = cleaned_form("text-generation", [{"text": code}, {"text": "b"}])
    assert texts_of(outputs.data)[0] == "def f(x):\n    return  x\n\n\ny = 1"


def test_every_message_of_a_chat_is_mended(cleaned_form: Cleaned) -> None:
    chat = [{"role": "user", "content": "caf\u00c3\u00a9?  \n  x"}, {"role": "assistant", "content": "oui\u200b"}]
    outputs = cleaned_form("chat", [{"messages": chat}, {"messages": chat[:1]}])
    assert [one["content"] for one in rows_of(outputs.data)[0]["messages"]] == ["caf\u00e9?\n  x", "oui"]


def test_a_chat_is_judged_as_a_whole(cleaned_form: Cleaned) -> None:
    german = [{"role": "user", "content": "ok"},
              {"role": "assistant", "content": "Ihre neue Karte kommt in zwei Wochen mit der Post."}]  # fmt: skip
    english = [{"role": "user", "content": "Where is my card now?"}, {"role": "assistant", "content": "ok"}]
    outputs = cleaned_form("chat", [{"messages": german}, {"messages": english}], languages=["en"])
    assert [row["_row"] for row in rows_of(outputs.data)] == ["r1"]


def test_a_chat_that_only_calls_a_tool_is_not_empty(cleaned_form: Cleaned) -> None:
    call = [{"role": "assistant", "content": None, "tool_calls": "[{}]"}]
    outputs = cleaned_form("chat", [{"messages": call}, {"messages": [{"role": "user", "content": " "}]}])
    assert reasons_of(outputs.quarantine) == ["empty_text"]


def test_a_preference_without_an_answer_is_empty(cleaned_form: Cleaned) -> None:
    said = [{"role": "user", "content": "a"}]
    rows = [{"prompt": said, "chosen": said, "rejected": []}, {"prompt": said, "chosen": said, "rejected": said}]
    assert reasons_of(cleaned_form("preference", rows).quarantine) == ["empty_text"]


def test_equal_sources_with_other_targets_are_not_copies(cleaned_form: Cleaned) -> None:
    rows = [
        {"text": "a", "target": "b"},
        {"text": "a", "target": "c"},
        {"text": "a ", "target": "b"},
        {"text": "a", "target": ""},
    ]
    assert reasons_of(cleaned_form("text2text-generation", rows).quarantine) == ["empty_text", "duplicate"]


def test_tokens_are_left_alone_and_their_sentence_is_judged(cleaned_form: Cleaned) -> None:
    rows = [{"tokens": ["a\u200b", "b"], "tags": ["O", "B-X"]}, {"tokens": ["c"], "tags": ["O"]}]
    outputs = cleaned_form("token-classification", rows, min_chars=3)
    assert [row["tokens"] for row in rows_of(outputs.data)] == [["a\u200b", "b"]]
    assert "tokens are left as they are" in outputs.cleaning.facts["left_alone"][0]


def test_answers_follow_their_context(cleaned_form: Cleaned) -> None:
    context = "x\u200b Paris  \nand Paris"
    rows = [{"question": "Where?", "context": context, "answer": "Paris", "answer_start": context.rindex("Paris")}]
    (row,) = rows_of(cleaned_form("question-answering", rows, layout="line").data)
    assert row["context"] == "x Paris and Paris"
    assert row["context"][row["answer_start"] :] == "Paris"


def test_an_answer_that_is_gone_leaves_the_context_as_it_was(cleaned_form: Cleaned) -> None:
    rows = [{"question": "?", "context": "a <b>bold</b>", "answer": "<b>bold</b>", "answer_start": 2}]
    (row,) = rows_of(cleaned_form("question-answering", rows, html="strip").data)
    assert (row["context"], row["answer_start"]) == ("a <b>bold</b>", 2)


def test_copies_of_an_image_are_found_and_kept_whole(cleaned_form: Cleaned) -> None:
    rows = [
        {"image": b"\x89PNG1", "label": "a"},
        {"image": b"\x89PNG1", "label": "a"},
        {"image": b"\x89PNG2", "label": "b"},
    ]
    outputs = cleaned_form("image-classification", rows, quality="web", languages=["en"])
    assert reasons_of(outputs.quarantine) == ["duplicate"]
    assert json.loads(rows_of(outputs.quarantine)[0]["cells"])["image"] == {"$bytes": "iVBORzE="}


def test_lines_of_boilerplate_are_cut_in_long_texts_alone(cleaned_form: Cleaned) -> None:
    text = (
        LONG + "\nPlease enable Javascript.\nWe use cookies here always.\nhome\nAnother good line of words [12] here."
    )
    rule = {"javascript_lines": True, "policy_lines": True, "min_line_words": 3}
    outputs = cleaned_form("text-generation", [{"text": text}], limits=rule)
    assert texts_of(outputs.data) == [LONG.strip() + "\nAnother good line of words  here."]
    chat = {"messages": [{"role": "user", "content": "home"}]}
    assert cleaned_form("chat", [chat], limits=rule).data.num_rows == 1


# Tables.

PEOPLE = [
    {"age": 41.0, "city": "Oslo", "copy": 41.0, "one": 1, "code": "150", "label": "yes"},
    {"age": None, "city": "oslo ", "copy": None, "one": 1, "code": "151", "label": "no"},
    {"age": 23.0, "city": "N/A", "copy": 23.0, "one": 1, "code": "none", "label": "no"},
    {"age": float("nan"), "city": "?", "copy": float("nan"), "one": 1, "code": "x-1", "label": "yes"},
]


def test_a_table_is_told_of_its_columns(cleaned_form: Cleaned) -> None:
    found = cleaned_form("tabular-classification", PEOPLE).cleaning.facts["columns"]
    assert found["missing"] == {"age": 2, "city": 2, "copy": 2, "code": 1}
    assert (found["constant"], found["copies"], found["mixed_types"]) == (["one"], [["age", "copy"]], {"code": ["x-1"]})


def test_numbers_written_as_text_are_told(cleaned_form: Cleaned) -> None:
    rows = [{"a": "1.5", "b": "01", "label": "x"}, {"a": "NA", "b": "02", "label": "y"}]
    assert cleaned_form("tabular-classification", rows).cleaning.facts["columns"]["numbers_as_text"] == ["a"]


def test_spellings_of_a_category_are_told(cleaned_form: Cleaned) -> None:
    outputs = cleaned_form("tabular-classification", PEOPLE)
    assert outputs.cleaning.facts["columns"]["spellings"]["city"] == [{"Oslo": 1, "oslo": 1}]


def test_rows_with_too_many_missing_cells_go(cleaned_form: Cleaned) -> None:
    outputs = cleaned_form("tabular-classification", PEOPLE, max_missing=0.5)
    assert [row["reason"] for row in rows_of(outputs.quarantine)] == ["missing_values"]
    assert outputs.data.num_rows == 3


def test_missing_words_become_null_when_asked(cleaned_form: Cleaned) -> None:
    outputs = cleaned_form("tabular-classification", PEOPLE, null_missing=True)
    assert [row["city"] for row in rows_of(outputs.data)] == ["Oslo", "oslo", None, None]


def test_equal_rows_of_a_regression_with_other_targets_stay(cleaned_form: Cleaned) -> None:
    rows = [{"a": 1, "label": 1.5}, {"a": 1, "label": 2.5}, {"a": 1, "label": 1.5}]
    assert reasons_of(cleaned_form("tabular-regression", rows).quarantine) == ["duplicate"]


# Real data.


def test_poems_keep_their_lines(cleaned_form: Cleaned, shared: Path) -> None:
    with gzip.open(shared / "chinese_poetry/dev.jsonl.gz", "rt", encoding="utf-8") as stream:
        poems = ["\n".join(json.loads(line)["paragraphs"]) for line in stream]
    outputs = cleaned_form("text-generation", [{"text": poem} for poem in poems], quality="short", languages=["zh"])
    assert outputs.data.num_rows > 0.99 * len(poems)
    assert texts_of(outputs.data)[0] == poems[0]


def test_patterns_may_be_written_as_names_with_expressions() -> None:
    """As the patterns of `deidentify` are."""
    (pattern,) = CleanSpec(patterns={"ads": "(?i)buy now"}).patterns  # type: ignore[arg-type]
    assert (pattern.name, pattern.pattern, pattern.action) == ("ads", "(?i)buy now", "drop")
