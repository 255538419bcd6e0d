"""POST /v1/chat/completions: a real chat model behind the real application."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import prediction
from modelmint.core.settings import Settings
from tests.api.conftest import header
from tests.api.test_routes import error_of
from tests.tiny_causal import ANSWERS
from tests.tiny_variant import deploy_variant
from tests.tiny_writer import deploy_chat

pytest.importorskip("onnxruntime_genai")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(Settings.read({}, home=tmp_path_factory.mktemp("chats") / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    deploy_chat(catalog, tmp_path_factory.mktemp("helper"))
    deploy_variant(catalog, tmp_path_factory.mktemp("support"))
    app, headers = create_app(catalog.settings), header(catalog, "predict", "admin")
    with TestClient(app, headers=headers, raise_server_exceptions=False) as opened:
        yield opened


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def ask(client: TestClient, *messages: dict[str, Any], **body: Any) -> Any:
    return client.post("/v1/chat/completions", json={"model": "helper", "messages": list(messages), **body})


@pytest.mark.parametrize("colour", ANSWERS)
def test_a_chat_gets_its_answer_in_the_shape_of_openai(client: TestClient, colour: str) -> None:
    reply = ask(client, user(colour)).json()
    (choice,) = reply["choices"]
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": ANSWERS[colour]},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert (reply["object"], reply["model"], reply["revision"]) == ("chat.completion", "helper", 1)


def test_usage_counts_what_was_read_and_written(client: TestClient) -> None:
    usage = ask(client, user("red")).json()["usage"]
    assert usage["completion_tokens"] == len(ANSWERS["red"])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_an_answer_is_cut_at_max_tokens(client: TestClient) -> None:
    (choice,) = ask(client, user("red"), max_tokens=2).json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (ANSWERS["red"][:2], "length")


def test_log_probabilities_come_with_the_id_of_each_token(client: TestClient) -> None:
    (choice,) = ask(client, user("red"), logprobs=True).json()["choices"]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == ANSWERS["red"]
    assert all(token["logprob"] <= 0 and isinstance(token["id"], int) for token in tokens)


def events(client: TestClient, **body: Any) -> list[Any]:
    lines = ask(client, user("green"), stream=True, **body).text.split("\n\n")
    return [line.removeprefix("data: ") for line in lines if line]


def test_a_stream_has_the_same_words_and_ends_with_done(client: TestClient) -> None:
    *pieces, last, done = events(client)
    told = [json.loads(piece)["choices"][0]["delta"].get("content", "") for piece in pieces]
    end = json.loads(last)
    assert ("".join(told), done) == (ANSWERS["green"], "[DONE]")
    assert (end["choices"][0]["finish_reason"], end["usage"]["completion_tokens"]) == ("stop", len(ANSWERS["green"]))
    assert len({json.loads(piece)["id"] for piece in (*pieces, last)}) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_answered_is_on_record(client: TestClient, catalog: Catalog, stream: bool) -> None:
    identifier = json.loads(events(client)[0])["id"] if stream else ask(client, user("green")).json()["id"]
    client.get("/v1/usage")
    found = prediction(catalog, identifier)
    assert found is not None
    assert found["predictions"] == [{"content": ANSWERS["green"], "finish": "stop"}]
    assert json.loads(found["inputs"][0]) == [user("green")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": []}, "messages: list should have at least 1 item"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role: input should be"),
        ({"messages": [user("x" * 20_001)]}, "messages[0].content: string should have at most 20000 characters"),
        ({"messages": [user("x" * 15_000)] * 2}, "messages: value error, must have at most 20000 characters in all"),
        ({"temperature": -1}, "temperature: input should be greater than or equal to 0"),
        ({"max_tokens": 0}, "max_tokens: input should be greater than or equal to 1"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "two names of one thing"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"n": 2}, "n: input should be 1"),
        ({"best_of": 2}, "best_of: extra inputs are not permitted"),
        ({"model": "nobody"}, "model: no endpoint is named 'nobody'"),
        ({"model": "support"}, "model: support answers texts with labels or numbers"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_request_is_told_what_is_wrong(client: TestClient, body: Any, message: str, stream: bool) -> None:
    asked = {"model": "helper", "messages": [user("red")], "stream": stream, **body}
    reply = client.post("/v1/chat/completions", json=asked)
    assert reply.status_code in (400, 404)
    assert message in error_of(reply)["message"]


def test_texts_for_labels_are_refused_by_a_model_that_writes(client: TestClient) -> None:
    reply = client.post("/v1/predict", json={"model": "helper", "input": "red"})
    assert reply.status_code == 400
    assert "POST /v1/chat/completions" in error_of(reply)["remedy"]


def test_a_key_without_the_scope_is_refused(client: TestClient, catalog: Catalog) -> None:
    reply = client.post(
        "/v1/chat/completions", json={"model": "helper", "messages": [user("x")]}, headers=header(catalog, "feedback")
    )
    assert reply.status_code == 403


def test_no_key_is_refused(client: TestClient) -> None:
    reply = client.post("/v1/chat/completions", json={}, headers={"Authorization": ""})
    assert reply.status_code == 401
