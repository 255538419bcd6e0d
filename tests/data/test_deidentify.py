"""What is recognised as personal data, what is not, and what becomes of it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.deidentify import DeidentifyInputs, DeidentifyOutputs, DeidentifySpec, deidentify
from modelmint.data.recognizers import recognize

from .conftest import reasons_of, texts_of

Make = Callable[..., Dataset]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("邮箱a.b@qq.com的", [("email", "a.b@qq.com")]),
        ("Mail joe_b@mail.co.uk.", [("email", "joe_b@mail.co.uk")]),
        ("电话13812345678谢谢", [("phone", "13812345678")]),
        ("座机010-62345678转", [("phone", "010-62345678")]),
        ("１３８１２３４５６７８", [("phone", "１３８１２３４５６７８")]),
        ("call (415) 555-2671 now", [("phone", "(415) 555-2671")]),
        ("ring 020 7946 0958", [("phone", "020 7946 0958")]),
        ("my number is 4155552671", [("phone", "4155552671")]),
        ("from +46 8 928 571 38", [("phone", "+46 8 928 571 38")]),
        ("身份证11010519491231002x。", [("id", "11010519491231002x")]),
        ("SSN 078-05-1120", [("id", "078-05-1120")]),
        ("social security number: 078051120", [("id", "078051120")]),
        ("card 4111 1111 1111 1111 exp 12/27", [("card", "4111 1111 1111 1111")]),
        ("卡号6222025049206241269已", [("card", "6222025049206241269")]),
        ("pay GB82 WEST 1234 5698 7654 32 and", [("iban", "GB82 WEST 1234 5698 7654 32")]),
    ],
)
def test_personal_data_is_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(span.kind, text[span.start : span.end]) for span in recognize(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "My order 4155552671 is late",
        "订单号13812345678什么时候到",
        "order number 13812345678",
        "订单号13812345678901",
        "快递单号SF3568710467559",
        "证件号110105194902310021",  # the 31st of February
        "card 4111 1111 1111 1112",  # wrong check digit
        "GB82 WEST 1234 5698 7654 33",
        "SSN 666-05-1120, 900-12-3456",
        "I called on 2024-11-22 and 22.11.2024",
        "from 36.160.14.148, version 10.2.3.44",
        "1234567 10000000 20241122",
        "@home and a@b",
        "It cost 1,250,000.00 in 2023",
    ],
)
def test_lookalikes_are_left_alone(text: str) -> None:
    assert recognize(text) == []


@pytest.mark.parametrize(
    "text", ["1 2 3 4 5 6 7 8 9 0 " * 2500, "a@" * 25_000, "1" * 50_000, "GB82" * 12_000, "a." * 25_000 + "@"]
)
def test_long_nonsense_takes_no_long_time(text: str) -> None:
    assert len(recognize(text)) < 25_000


@pytest.fixture
def masked(dataset: Make, context: StageContext) -> Callable[..., DeidentifyOutputs]:
    def run(texts: list[str], **spec: Any) -> DeidentifyOutputs:
        data = dataset([{"text": text, "label": "x", "note": text} for text in texts])
        return deidentify(DeidentifySpec(**spec), DeidentifyInputs(data=data), context)

    return run


TEXTS = ["write to joe@x.com or ann@y.org", "nothing here", "我的手机13812345678"]


def test_masks_say_what_was_there(masked: Callable[..., DeidentifyOutputs]) -> None:
    assert texts_of(masked(TEXTS).data) == ["write to [EMAIL] or [EMAIL]", "nothing here", "我的手机[PHONE]"]


def test_kept_columns_are_masked_too(masked: Callable[..., DeidentifyOutputs]) -> None:
    from modelmint.core.tables import column

    assert column(masked(TEXTS).data, "note")[2] == "我的手机[PHONE]"


def test_report_counts_by_kind_and_row(masked: Callable[..., DeidentifyOutputs]) -> None:
    facts = masked(TEXTS, columns=["text"]).deidentification.facts
    assert facts["masked"] == {"card": 0, "email": 2, "iban": 0, "id": 0, "phone": 1}
    assert (facts["rows"], facts["examples"]) == (2, ["write to [EMAIL] or [EMAIL]", "我的手机[PHONE]"])


def test_kinds_can_be_chosen(masked: Callable[..., DeidentifyOutputs]) -> None:
    assert texts_of(masked(TEXTS, kinds=["phone"]).data)[0] == TEXTS[0]


def test_hashes_keep_equal_values_equal(masked: Callable[..., DeidentifyOutputs]) -> None:
    texts = texts_of(
        masked(["joe@x.com", "JOE@x.com", "ann@y.org"], action="hash", hash_salt="a secret of this tenant").data
    )
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("[EMAIL:")


def test_hash_without_a_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="hash_salt is required"):
        DeidentifySpec(action="hash")


def test_rows_can_be_dropped_to_quarantine(masked: Callable[..., DeidentifyOutputs]) -> None:
    outputs = masked(TEXTS, action="drop")
    assert texts_of(outputs.data) == ["nothing here"]
    assert reasons_of(outputs.quarantine) == ["personal_data", "personal_data"]


def test_unknown_column_is_refused(masked: Callable[..., DeidentifyOutputs]) -> None:
    with pytest.raises(DataError, match="columns: must be some of text, note; got body"):
        masked(TEXTS, columns=["body"])


@pytest.mark.parametrize(
    ("name", "kinds", "recall", "precision"),
    [
        (
            "pii_zh_synth",
            {"PHONE": "phone", "LANDLINE": "phone", "BANK_CARD": "card", "EMAIL": "email", "ID_CARD": "id"},
            0.99,
            0.99,
        ),
        (
            "pii_presidio",
            {"CREDIT_CARD": "card", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "US_SSN": "id"},
            0.9,
            0.97,
        ),
    ],
)
def test_recall_and_precision_on_published_sets(
    shared: Path, name: str, kinds: dict[str, str], recall: float, precision: float
) -> None:
    found = expected = hits = 0
    with gzip.open(shared / name / "all.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            truth = {(entity["start"], entity["end"]) for entity in row["entities"] if entity["type"] in kinds}
            spans = {(span.start, span.end) for span in recognize(row["text"], sorted(set(kinds.values())))}
            found, expected, hits = found + len(spans), expected + len(truth), hits + len(spans & truth)
    assert hits / expected >= recall
    assert hits / found >= precision
