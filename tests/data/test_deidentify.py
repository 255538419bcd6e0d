"""The stage: what becomes of what was found, the key, the columns, the report and its page."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.core.types import Dataset, Model
from modelmint.data.deidentify import DeidentifyInputs, DeidentifyOutputs, DeidentifySpec, deidentify, fingerprint
from modelmint.data.preflight import PreflightInputs, PreflightSpec, preflight
from tests.tiny_tagger import write_tagger

from .conftest import reasons_of, texts_of

Make = Callable[..., Dataset]
Masked = Callable[..., DeidentifyOutputs]
SALT = "a secret of this tenant"


@pytest.fixture
def masked(dataset: Make, context: StageContext) -> Masked:
    def run(texts: list[str], recognizer: Model | None = None, secret: bytes = b"", **spec: Any) -> DeidentifyOutputs:
        data = dataset([{"text": text, "label": "x", "note": text} for text in texts])
        inputs = DeidentifyInputs(data=data, recognizer=recognizer)
        return deidentify(DeidentifySpec(**spec), inputs, replace(context, tenant_secret=secret))

    return run


TEXTS = ["write to joe@x.com or ann@y.org", "nothing here", "我的手机13812345678"]


def test_masks_say_what_was_there(masked: Masked) -> None:
    assert texts_of(masked(TEXTS).data) == ["write to [EMAIL] or [EMAIL]", "nothing here", "我的手机[PHONE]"]


def test_kept_columns_are_masked_too(masked: Masked) -> None:
    assert column(masked(TEXTS).data, "note")[2] == "我的手机[PHONE]"


def test_report_counts_by_kind_and_row(masked: Masked) -> None:
    facts = masked(TEXTS, columns=["text"]).deidentification.facts
    assert {kind: number for kind, number in facts["masked"].items() if number} == {"email": 2, "phone": 1}
    assert (facts["rows"], facts["rows_by_kind"]["email"]) == (2, 1)


def test_examples_show_where_it_stood_and_never_the_value(masked: Masked) -> None:
    outputs = masked(TEXTS, columns=["text"], action="pseudonym", hash_salt=SALT)
    assert outputs.deidentification.facts["examples"][-1] == {"kind": "phone", "text": "我的手机[PHONE]"}
    told = str(outputs.deidentification.facts)
    assert not [value for value in ("joe@x.com", "ann@y.org", "13812345678") if value in told]


def test_kinds_can_be_chosen(masked: Masked) -> None:
    assert texts_of(masked(TEXTS, kinds=["phone"]).data)[0] == TEXTS[0]


def test_each_kind_may_have_its_own_action(masked: Masked) -> None:
    outputs = masked(TEXTS, actions={"phone": "drop", "email": "hash"}, hash_salt=SALT)
    assert texts_of(outputs.data)[0].startswith("write to [EMAIL:")
    assert reasons_of(outputs.quarantine) == ["personal_data"]


def test_hashes_keep_equal_values_equal(masked: Masked) -> None:
    texts = texts_of(masked(["joe@x.com", "JOE@x.com", "ann@y.org"], action="hash", hash_salt=SALT).data)
    assert texts[0] == texts[1] != texts[2]


def test_stand_ins_are_the_tenants_own_where_no_salt_is_given(masked: Masked) -> None:
    mine = texts_of(masked(["joe@x.com"], action="pseudonym", secret=b"tenant one").data)
    theirs = texts_of(masked(["joe@x.com"], action="pseudonym", secret=b"tenant two").data)
    assert mine != theirs
    assert mine[0].endswith("@example.com")


@pytest.mark.parametrize("action", ["hash", "pseudonym"])
def test_without_any_key_keyed_actions_are_refused(masked: Masked, action: str) -> None:
    with pytest.raises(InputError, match="hash_salt: needed"):
        masked(TEXTS, action=action)


def test_rows_can_be_dropped_to_quarantine_masked(masked: Masked) -> None:
    outputs = masked(TEXTS, action="drop")
    assert texts_of(outputs.data) == ["nothing here"]
    assert reasons_of(outputs.quarantine) == ["personal_data", "personal_data"]
    assert "joe@x.com" not in str(column(outputs.quarantine, "cells") + column(outputs.quarantine, "raw"))


def test_when_every_row_would_be_dropped_it_is_refused(masked: Masked) -> None:
    with pytest.raises(DataError, match="each of the 1 rows holds personal data"):
        masked(["joe@x.com"], action="drop")


def test_unknown_column_is_refused(masked: Masked) -> None:
    with pytest.raises(DataError, match="columns: must be some of text, note; got body"):
        masked(TEXTS, columns=["body"])


def test_patterns_of_the_user_are_masked_by_their_names(masked: Masked) -> None:
    outputs = masked(["ask E123456 please"], patterns={"employee_id": r"E\d{6}"})
    assert texts_of(outputs.data) == ["ask [EMPLOYEE_ID] please"]
    assert outputs.deidentification.facts["masked"]["employee_id"] == 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"patterns": {"x": r"(a)\1"}}, "uses a backreference"),
        ({"patterns": {"x": "a*"}}, "matches the empty text"),
        ({"patterns": {"x": "a" * 2000}}, "at most 1,000 are allowed"),
        ({"patterns": {"email": "a"}}, "email is a kind already"),
        ({"patterns": {"Bad Name": "a"}}, "should match pattern"),
        ({"actions": {"hero": "mask"}}, "actions must name kinds that are looked for"),
        ({"kinds": []}, "must name at least one"),
        ({"hash_salt": "short"}, "at least 16 characters"),
    ],
)
def test_specs_that_cannot_work_are_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeidentifySpec(**spec)


def test_the_report_says_what_is_missed_without_a_model(masked: Masked) -> None:
    facts = masked(["Ann Lee in Paris"]).deidentification.facts
    assert facts["missed"] == ["person", "place", "organisation"]
    assert facts["warnings"][0]["message"].startswith(
        "names of people, places, organisations: not found without a model"
    )


def test_a_model_of_the_catalog_finds_names(masked: Masked, context: StageContext, tmp_path: Path) -> None:
    model = context.desk.model("tagger", write_tagger(tmp_path / "tagger"))
    outputs = masked(["Ann Lee in Paris"], recognizer=model)
    assert texts_of(outputs.data) == ["[PERSON] in [PLACE]"]
    assert outputs.deidentification.facts["missed"] == []


def test_a_model_is_heard_on_the_kinds_asked_for_alone(masked: Masked, tmp_path: Path) -> None:
    outputs = masked(["Ann Lee in Paris"], ner=str(write_tagger(tmp_path / "tagger")), kinds=["email", "person"])
    assert texts_of(outputs.data) == ["[PERSON] in Paris"]


def test_the_model_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    first, second = (write_tagger(tmp_path / str(num), num_positions=num) for num in (16, 20))
    prints = {fingerprint(DeidentifySpec(ner=str(folder))) for folder in (first, second)} | {
        fingerprint(DeidentifySpec())
    }
    assert len(prints) == 3


def test_a_missing_model_folder_is_refused(masked: Masked) -> None:
    with pytest.raises(InputError, match="ner: must be a folder with"):
        masked(TEXTS, ner="/nowhere")


def test_the_same_rows_give_the_same_digest(masked: Masked) -> None:
    first, second = (masked(TEXTS, action="pseudonym", hash_salt=SALT) for _ in range(2))
    assert first.data.digest == second.data.digest
    assert first.deidentification.digest == second.deidentification.digest


def test_the_page_tells_finds_actions_and_what_is_missing(masked: Masked) -> None:
    report = masked(TEXTS, actions={"phone": "hash"}, hash_salt=SALT).deidentification
    with report.files.open("report.html") as stream:
        page = stream.read().decode()
    for words in ("De-identification", "telephone numbers", "keyed hash", "no model was given", "我的手机[PHONE]"):
        assert words in page
    assert "13812345678" not in page


def test_preflight_takes_no_stand_in_for_personal_data(masked: Masked, context: StageContext) -> None:
    """A gate on personal data must pass what was replaced, whichever way; what was not looked for is still found."""
    texts = [
        "I was born on 12 May 1990, write to joe@x.com",
        "follow me on twitter: @realjoe",
        "I was born on 3 June 1985",
    ]
    data = masked(texts, action="pseudonym", kinds=["date_of_birth", "handle"], hash_salt=SALT).data
    facts = preflight(
        PreflightSpec(gates={"personal_data": "<= 1"}), PreflightInputs(data=data), context
    ).preflight.facts
    assert facts["personal"]["found"] == {"email": 1}
    assert facts["refused"] == [refused for refused in facts["refused"] if "personal" not in str(refused)]
