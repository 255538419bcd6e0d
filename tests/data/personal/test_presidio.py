"""Presidio as an engine, where it is installed."""

import importlib.util
from collections.abc import Callable

import pytest

from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.deidentify import DeidentifyInputs, DeidentifySpec, deidentify
from tests.data.conftest import texts_of

INSTALLED = importlib.util.find_spec("presidio_analyzer") is not None


@pytest.mark.skipif(INSTALLED, reason="presidio-analyzer is installed")
def test_a_missing_presidio_is_told_with_what_to_install() -> None:
    from modelmint.data.personal.presidio import presidio_version

    with pytest.raises(InputError, match=r"modelmint\[presidio\]"):
        presidio_version()


@pytest.mark.skipif(not INSTALLED, reason="presidio-analyzer is not installed (the extra presidio)")
def test_its_finds_are_spans_of_our_kinds() -> None:
    from modelmint.data.personal.presidio import Presidio

    engine = Presidio()
    text = "mail joe@x.com, card 4111 1111 1111 1111 from 1.2.3.4"
    assert {("email", "joe@x.com"), ("card", "4111 1111 1111 1111")} <= {
        (span.kind, text[span.start : span.end]) for span in engine.find([text])[0]
    }
    assert {"email", "phone", "card", "iban"} <= engine.kinds


@pytest.mark.skipif(not INSTALLED, reason="presidio-analyzer is not installed (the extra presidio)")
def test_it_asks_nothing_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from modelmint.data.personal.presidio import Presidio

    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: asked.append(where))
    Presidio().find(["joe@example.co.uk http://x.com"])
    assert asked == []


@pytest.mark.skipif(not INSTALLED, reason="presidio-analyzer is not installed (the extra presidio)")
def test_it_can_stand_in_the_place_of_our_patterns(context: StageContext, dataset: Callable[..., Dataset]) -> None:
    data = dataset([{"text": "mail joe@x.com 车牌湘A50TB0", "label": "x"}])
    outputs = deidentify(DeidentifySpec(engine="presidio"), DeidentifyInputs(data=data), context)
    assert texts_of(outputs.data) == ["mail [EMAIL] 车牌湘A50TB0"]
    assert "plate" in outputs.deidentification.facts["missed"]


@pytest.mark.skipif(INSTALLED, reason="presidio-analyzer is installed")
def test_a_recipe_that_asks_for_it_is_refused_without_it(
    context: StageContext, dataset: Callable[..., Dataset]
) -> None:
    data = dataset([{"text": "mail joe@x.com", "label": "x"}])
    with pytest.raises(InputError, match="engine: presidio is not installed"):
        deidentify(DeidentifySpec(also=("presidio",)), DeidentifyInputs(data=data), context)
