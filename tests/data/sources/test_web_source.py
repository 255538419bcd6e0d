"""Sources by URL and in archives, through `collect`: what came is read as any file is."""

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError
from modelmint.data.collect import CollectSpec, fingerprint
from tests.data.conftest import texts_of
from tests.data.web_server import response, serving

CSV = b"text,label\nhello,a\nbye,b\n"
Collected = Callable[..., Any]


@pytest.fixture
def _loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_ALLOW_PRIVATE_URLS", "127.0.0.1/32")


@pytest.mark.usefixtures("_loopback_allowed")
def test_a_table_by_url_is_read(collected: Collected) -> None:
    with serving(lambda _: response(CSV, content_type="text/csv")) as server:
        assert texts_of(collected(server.url("/export", host="127.0.0.1")).data) == ["hello", "bye"]


@pytest.mark.usefixtures("_loopback_allowed")
def test_an_archive_by_url_is_unpacked_and_read(collected: Collected) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("set/train.csv", CSV)
        archive.writestr("set/test.csv", "text,label\nwhere,a\n")
    with serving(lambda _: response(raw.getvalue(), content_type="application/zip")) as server:
        outputs = collected(server.url("/data", host="127.0.0.1"))
    assert outputs.data.facts["splits"] == {"test": 1, "train": 2}


@pytest.mark.usefixtures("_loopback_allowed")
def test_the_records_of_a_json_api_are_read(collected: Collected) -> None:
    def answer(path: str) -> Iterable[bytes]:
        following = {"next": "/rows?page=2"} if "page" not in path else {}
        return response(json.dumps({"items": [{"text": path, "label": path[-1]}], **following}).encode())

    with serving(answer) as server:
        url = server.url("/rows", host="127.0.0.1")
        assert texts_of(collected(url, records="items", next_page="next").data) == ["/rows", "/rows?page=2"]


def test_a_private_url_is_refused_and_names_the_setting(collected: Collected) -> None:
    with pytest.raises(DataError, match="must lead to a public address") as raised:
        collected("http://127.0.0.1/a.csv")
    assert "MODELMINT_ALLOW_PRIVATE_URLS" in str(raised.value.remedy)


@pytest.mark.usefixtures("_loopback_allowed")
def test_a_changed_file_behind_a_url_has_another_fingerprint() -> None:
    tags = iter(["one", "one", "two"])
    with serving(lambda _: response(CSV, etag=next(tags))) as server:
        found = [fingerprint(CollectSpec(source=server.url("/a.csv", host="127.0.0.1"))) for _ in range(3)]
    assert found[0] == found[1] != found[2]


def test_an_archive_on_disk_is_unpacked_and_read(tmp_path: Path, collected: Collected) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
    assert texts_of(collected(tmp_path / "a.zip").data) == ["hello", "bye"]


@pytest.mark.usefixtures("_loopback_allowed")
def test_a_token_goes_to_the_host_of_the_source_alone(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_API", "s3cret")
    rows = json.dumps({"items": [{"text": "hi", "label": "a"}, {"text": "ho", "label": "b"}]}).encode()
    with serving(lambda _: response(rows)) as other:
        elsewhere = other.url("/more", host="127.0.0.1")
        first = json.dumps({**json.loads(rows), "next": elsewhere}).encode()
        with serving(lambda _: response(first)) as server:
            url = server.url("/rows", host="127.0.0.1")
            collected(url, records="items", next_page="next", token_from="MODELMINT_SECRET_API")
    assert "Authorization: Bearer s3cret\r\n" in server.requests[0]
    assert "s3cret" not in other.requests[0]


@pytest.mark.usefixtures("_loopback_allowed")
def test_a_token_does_not_follow_a_redirect_to_another_host(
    collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_API", "s3cret")
    with serving(lambda _: response(CSV, content_type="text/csv")) as other:
        location = other.url("/a.csv", host="127.0.0.1")
        with serving(lambda _: response(status="302 Found", location=location)) as server:
            collected(server.url("/a", host="127.0.0.1"), token_from="MODELMINT_SECRET_API")
    assert "s3cret" in server.requests[0]
    assert "s3cret" not in other.requests[0]


def test_a_token_is_not_sent_in_the_clear(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_API", "s3cret")
    with pytest.raises(DataError, match="token_from: a token is sent over https alone"):
        collected("http://data.example.com/rows", token_from="MODELMINT_SECRET_API")


def test_a_token_may_name_no_other_variable() -> None:
    with pytest.raises(ValueError, match="token_from"):
        CollectSpec(source="https://data.example.com/rows", token_from="HOME")


def test_a_token_with_a_line_end_is_refused_and_not_shown(
    collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_API", "s3cret\r\nX: y")
    with pytest.raises(DataError, match="token_from: the token must be printable") as raised:
        collected("https://data.example.com/rows", token_from="MODELMINT_SECRET_API")
    assert "s3cret" not in str(raised.value)
