"""Back-translation against a real HTTP server that translates badly, or not at all."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import AuthError, InputError, UnavailableError
from modelmint.core.stage import StageContext
from modelmint.core.tables import read
from modelmint.data.augment import AugmentInputs, AugmentSpec, augment
from modelmint.data.augmenting.back_translation import BackTranslation, Translator
from tests.chat_server import serving

WORDS = {"card": "Karte", "my": "meine", "is": "ist", "lost": "verloren"}
BACK = {"Karte": "card", "meine": "my", "ist": "is", "verloren": "gone"}


def translate(asked: str, text: str) -> tuple[int, Any]:
    table = WORDS if "German" in asked else BACK
    said = " ".join(table.get(word, word) for word in text.split())
    return 200, {"choices": [{"message": {"content": said}}]}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own setting lets recipes reach this machine."""
    monkeypatch.setenv("MODELMINT_ALLOW_PRIVATE_URLS", "127.0.0.0/8")


@pytest.fixture
def translator(context: StageContext, opened: None) -> Callable[..., Translator]:
    def make(url: str, **spec: Any) -> Translator:
        return Translator(BackTranslation(url=url, model="m", **spec), context.checkpoints, context)

    return make


Make = Callable[..., Translator]


def test_a_text_goes_there_and_back(translator: Make) -> None:
    with serving(translate) as (url, asked):
        assert translator(url).there_and_back("my card is lost") == "my card is gone"
    assert [one["path"] for one in asked] == ["/v1/chat/completions"] * 2
    assert [one["messages"][1]["content"] for one in asked] == ["my card is lost", "meine Karte ist verloren"]


def test_what_was_translated_is_not_asked_again(translator: Make) -> None:
    with serving(translate) as (url, asked):
        first, second = (translator(url).there_and_back("my card is lost") for _ in range(2))
        assert (first, len(asked)) == (second, 2)


@pytest.mark.parametrize("text", ["my card", "", "  "])
def test_a_text_that_comes_back_the_same_or_empty_gives_none(translator: Make, text: str) -> None:
    with serving(translate) as (url, _):
        assert translator(url).there_and_back(text) is None


def test_an_answer_far_longer_than_the_text_gives_none(translator: Make) -> None:
    chatty = {"choices": [{"message": {"content": "Sure! Here is the translation that you asked me for: ..."}}]}
    with serving(lambda _asked, _text: (200, chatty)) as (url, _):
        assert translator(url).there_and_back("my card") is None


def test_the_key_of_the_named_variable_is_sent(translator: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_TRANSLATE", "abc")
    with serving(translate) as (url, asked):
        translator(url, key_from="MODELMINT_SECRET_TRANSLATE").there_and_back("my card is lost")
    assert {one["key"] for one in asked} == {"Bearer abc"}


def test_a_key_that_is_not_set_is_named(translator: Make) -> None:
    with pytest.raises(InputError, match="MODELMINT_SECRET_NONE is not"):
        translator("http://127.0.0.1:9/v1", key_from="MODELMINT_SECRET_NONE")


def test_other_variables_cannot_be_named() -> None:
    with pytest.raises(ValueError, match="key_from"):
        BackTranslation(url="http://a.example/v1", model="m", key_from="MODELMINT_MASTER_KEY")


def test_a_refused_key_is_an_auth_error(translator: Make) -> None:
    with serving(lambda _asked, _text: (401, {})) as (url, _), pytest.raises(AuthError, match="refuses the key"):
        translator(url).there_and_back("my card is lost")


def test_an_endpoint_that_fails_is_asked_three_times_and_named(translator: Make) -> None:
    with serving(lambda _asked, _text: (503, {})) as (url, asked):
        with pytest.raises(UnavailableError, match="got HTTP 503"):
            translator(url).there_and_back("my card is lost")
        assert len(asked) == 3


@pytest.mark.parametrize("said", [b"<html>", b"[" * 100_000, {"choices": []}, b"\xff\xfe"])
def test_an_answer_of_another_kind_is_refused(translator: Make, said: Any) -> None:
    with (
        serving(lambda _asked, _text: (200, said)) as (url, _),
        pytest.raises(UnavailableError, match="as the OpenAI API"),
    ):
        translator(url).there_and_back("my card is lost")


def test_an_endpoint_that_is_not_there_is_named(translator: Make) -> None:
    with pytest.raises(UnavailableError, match="must answer /chat/completions; got ConnectError"):
        translator("http://127.0.0.1:9/v1").there_and_back("my card is lost")


def test_a_private_address_is_refused_unless_the_server_opens_it(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELMINT_ALLOW_PRIVATE_URLS", raising=False)
    with pytest.raises(InputError, match=r"back_translation\.url: "):
        Translator(BackTranslation(url="http://127.0.0.1:8000/v1", model="m"), context.checkpoints, context)


def test_the_first_copy_of_a_row_is_its_translation(desk: StagingDesk, context: StageContext, opened: None) -> None:
    rows = [
        {"_row": f"r{number}", "text": f"my card {number} is lost", "label": "ab"[number % 2]} for number in range(4)
    ]
    data = desk.dataset("train", pa.Table.from_pylist(rows), facts={"task": "text-classification"})
    with serving(translate) as (url, _):
        spec = AugmentSpec(copies=2, back_translation=BackTranslation(url=url, model="m"))
        outputs = augment(spec, AugmentInputs(train=data), context)
    made = {row["_row"]: row["text"] for row in read(outputs.train).to_pylist()}
    assert made["r1~1"] == "my card 1 is gone"
    assert outputs.augmentation.facts["changes"]["back_translation"] == 4
