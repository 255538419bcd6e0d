"""What is recognised as personal data, and what is not."""

import gzip
import json
from pathlib import Path

import pytest

from modelmint.core.errors import InputError
from modelmint.data.expressions import compile_expression
from modelmint.data.personal.recognizers import FOUND_BY_PATTERN, Recognizers, recognize


def found(text: str, *kinds: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in recognize(text, kinds or FOUND_BY_PATTERN)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("邮箱a.b@qq.com的", [("email", "a.b@qq.com")]),
        ("Mail joe_b@mail.co.uk.", [("email", "joe_b@mail.co.uk")]),
        ("joe.b [at] mail [dot] org now", [("email", "joe.b [at] mail [dot] org")]),
        ("电话13812345678谢谢", [("phone", "13812345678")]),
        ("座机010-62345678转", [("phone", "010-62345678")]),
        ("座机（0571）62345678转8001", [("phone", "（0571）62345678转8001")]),
        ("客服400-820-6666", [("phone", "400-820-6666")]),
        ("香港 +852 2123 4567", [("phone", "+852 2123 4567")]),
        ("张三（13812345678）", [("phone", "13812345678")]),
        ("１３８１２３４５６７８", [("phone", "１３８１２３４５６７８")]),
        ("call (415) 555-2671 now", [("phone", "(415) 555-2671")]),
        ("ring 020 7946 0958", [("phone", "020 7946 0958")]),
        ("my number is 4155552671", [("phone", "4155552671")]),
        ("from +46 8 928 571 38", [("phone", "+46 8 928 571 38")]),
        ("Fax: 345-899-3560x4587", [("phone", "345-899-3560x4587")]),
        ("身份证11010519491231002x。", [("id", "11010519491231002x")]),
        ("身份证号110105491231002", [("id", "110105491231002")]),
        ("SSN 078-05-1120", [("id", "078-05-1120")]),
        ("social security number: 078051120", [("id", "078051120")]),
        ("my NHS number is 943 476 5919", [("id", "943 476 5919")]),
        ("codice RSSMRA85T10A562S", [("id", "RSSMRA85T10A562S")]),
        ("CPF 390.533.447-05", [("id", "390.533.447-05")]),
        ("HKID A123456(3)", [("id", "A123456(3)")]),
        ("身分證A123456789", [("id", "A123456789")]),
        ("NRIC S1234567D", [("id", "S1234567D")]),
        ("driver's license number is F162823540116", [("id", "F162823540116")]),
        ("card 4111 1111 1111 1111 exp", [("card", "4111 1111 1111 1111")]),
        ("卡号6222025049206241269已", [("card", "6222025049206241269")]),
        ("my card 503867297114", [("card", "503867297114")]),
        ("pay GB82 WEST 1234 5698 7654 32 and", [("iban", "GB82 WEST 1234 5698 7654 32")]),
        ("银行账号：1234567890123", [("account", "1234567890123")]),
        ("account number 12345678, sort code 12-34-56", [("account", "12345678"), ("account", "12-34-56")]),
        ("护照E56108857，", [("passport", "E56108857")]),
        ("her passport no. 533380006", [("passport", "533380006")]),
        ("车牌鄂E·CL2E6的", [("plate", "鄂E·CL2E6")]),
        ("粤BD12345", [("plate", "粤BD12345")]),
        ("license plate: 7ABC123", [("plate", "7ABC123")]),
        ("寄到山东省青岛市市南区长江路681号，", [("address", "山东省青岛市市南区长江路681号")]),
        ("北京市朝阳区建国路88号3栋2单元601室", [("address", "北京市朝阳区建国路88号3栋2单元601室")]),
        ("我住在幸福街道平安路5号", [("address", "幸福街道平安路5号")]),
        ("at 221 Baker Street, London NW1 6XE now", [("address", "221 Baker Street, London NW1 6XE")]),
        ("to 12 Main St. Apt. 4, Springfield, IL 62704.", [("address", "12 Main St. Apt. 4, Springfield, IL 62704")]),
        ("write to P.O. Box 149", [("address", "P.O. Box 149")]),
        ("my zip code is 35350", [("address", "35350")]),
        ("用户从203.0.113.203登录", [("ip", "203.0.113.203")]),
        ("host fe80::1ff:fe23:4567:890a up", [("ip", "fe80::1ff:fe23:4567:890a")]),
        ("born on 15 February 1946", [("date_of_birth", "15 February 1946")]),
        ("date of birth. It's 2/16/1942", [("date_of_birth", "2/16/1942")]),
        ("1990年1月31日出生", [("date_of_birth", "1990年1月31日")]),
        ("加我微信wx_r2ggxx2m详聊", [("handle", "wx_r2ggxx2m")]),
        ("QQ：410073425", [("handle", "410073425")]),
        ("统一社会信用代码91420111EMLYXN43AM，", [("uscc", "91420111EMLYXN43AM")]),
        ("see https://www.FaceUpdate.com.br/a?b=1.", [("url", "https://www.FaceUpdate.com.br/a?b=1")]),
        ("on 2018-02-24 12:45:18, the", [("date", "2018-02-24 12:45:18")]),
        ("flew on Sunday", [("date", "Sunday")]),
        ("founded in 1973. Since", [("year", "1973")]),
        ("a 46-year-old man", [("age", "46")]),
        ("今年46岁", [("age", "46")]),
    ],
)  # fmt: skip
def test_personal_data_is_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


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
        "version 10.2.3.44 of 127.0.0.1",
        "chapter 1.2.3.4",
        "Ruby's Bed::Face at 12:30:45",
        "1234567 10000000 20241122",
        "@home and a@b",
        "It cost 1,250,000.00 in 2023",
        "order E12345678 has shipped",  # a passport's form, and nobody speaks of one
        "a plate of 15 cookies",
        "18 seats in each row of the 2001 study on Street",
        "HKID A123456(4), NRIC S1234567A",
        "新GALAXY手机",
        "我们在北京市开会",  # a town alone is no address
        "加我微信详聊",
    ],
)
def test_lookalikes_are_left_alone(text: str) -> None:
    assert recognize(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3 4 5 6 7 8 9 0 " * 500,
        "a@" * 10_000,
        "1" * 20_000,
        "GB82" * 5_000,
        "a." * 10_000 + "@",
        "北京市" + "路路1号" * 4_000,
        "中路" * 10_000 + "1",
        "12 Main " * 2_500 + "Street",
        "apt 1 a " * 2_500,
        "may 1 " * 1_500,
        "::1" * 6_000,
    ],
)
@pytest.mark.timeout(20)
def test_long_nonsense_takes_no_long_time(text: str) -> None:
    assert len(recognize(text, FOUND_BY_PATTERN)) < 10_000


def test_the_name_of_a_column_counts_as_a_word_before_its_cells() -> None:
    text, patterns = "4155552671", Recognizers()
    assert patterns.find(text) == []
    assert [span.kind for span in patterns.find(text, "phone")] == ["phone"]


def test_what_a_pattern_alone_suggests_is_found_when_less_certainty_is_asked() -> None:
    text = "order E12345678 has shipped"
    assert [span.kind for span in Recognizers(min_score=0.3).find(text)] == ["passport"]


def test_patterns_of_the_user_are_found_and_win() -> None:
    mine = {"employee": compile_expression(r"E\d{6}", parameter="patterns.employee")}
    assert [span.kind for span in Recognizers(patterns=mine).find("ask E123456")] == ["employee"]


def test_a_pattern_that_re2_cannot_run_is_refused() -> None:
    with pytest.raises(InputError, match=r"patterns\.x: must be a regular expression of RE2"):
        compile_expression(r"(?<=a)b", parameter="patterns.x")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("pii_zh_synth", {"PHONE": "phone", "LANDLINE": "phone", "BANK_CARD": "card", "EMAIL": "email", "ID_CARD": "id",
                          "IP": "ip", "PASSPORT": "passport", "PLATE": "plate", "ADDRESS": "address"}),
        ("pii_presidio", {"CREDIT_CARD": "card", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "US_SSN": "id",
                          "US_DRIVER_LICENSE": "id", "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip"}),
    ],
)  # fmt: skip
def test_recall_and_precision_on_the_half_of_published_sets_not_developed_on(
    shared: Path, name: str, kinds: dict[str, str]
) -> None:
    num_found = num_true = hits = 0
    with gzip.open(shared / name / "all.jsonl.gz", "rt") as lines:
        for row in [json.loads(line) for line in lines][1::2]:
            truth = {(each["start"], each["end"]) for each in row["entities"] if each["type"] in kinds}
            spans = {(span.start, span.end) for span in recognize(row["text"], sorted(set(kinds.values())))}
            num_found, num_true, hits = num_found + len(spans), num_true + len(truth), hits + len(spans & truth)
    assert hits / num_true >= 0.95
    assert hits / num_found >= 0.95
