"""In which encoding a file is written, told from its bytes."""

from pathlib import Path

import pytest

from modelmint.data.sources.encodings import likely_encoding

_TEXTS = {
    "gb18030": "我要退货，订单号是多少？快递到哪里了，付款没有到账。",
    "big5": "我要退貨，訂單號碼請盡快處理，謝謝您的幫助。內容與類別。",
    "shift_jis": "商品を返品したいです。注文番号はこちらです。配送はいつになりますか。",
    "euc_jp": "商品を返品したいです。注文番号はこちらです。配送はいつになりますか。",
    "euc_kr": "상품을 반품하고 싶습니다. 주문 번호는 여기 있습니다. 배송은 언제 되나요?",
    "cp1251": "Я хочу вернуть товар. Где моя посылка? Оплата не прошла, помогите.",
    "cp1252": "Ich möchte mein Geld zurück. Où est ma commande, s'il vous plaît? ¿Dónde está?",
    "utf-8": "我要退货, möchte",
}


@pytest.mark.parametrize("encoding", _TEXTS)
def test_an_encoding_is_told_by_what_its_letters_say(encoding: str) -> None:
    table = "text,label\n" + "".join(f"{_TEXTS[encoding]} {number},a\n" for number in range(20))
    assert likely_encoding(table.encode(encoding)) == encoding


@pytest.mark.parametrize(("encoding", "name"), [("gb18030", "thucnews_titles"), ("big5", "chinese_poetry")])
def test_real_chinese_is_told_in_either_encoding(shared: Path, encoding: str, name: str) -> None:
    import gzip

    path = next((shared / name).glob("dev.*"))
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        content = stream.read(60_000)
    known = "".join(letter for letter in content if letter.encode(encoding, "ignore"))
    assert likely_encoding(known.encode(encoding)) == encoding


def test_two_encodings_in_one_file_are_none() -> None:
    mixed = b"".join("退款问题请处理,a\n".encode("gb18030" if n % 2 else "utf-8") for n in range(20))
    assert likely_encoding(mixed) is None
