"""POST /v1/completions: a real language model behind the real application."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import prediction
from modelmint.core.sampling import Sampling
from modelmint.core.settings import Settings
from modelmint.training.tasks.language_model import load_language_model
from tests.api.conftest import header
from tests.api.test_routes import error_of
from tests.tiny_language import deploy_language, language_folder
from tests.tiny_variant import deploy_variant

pytest.importorskip("onnxruntime_genai")
GREEDY = "o three"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(Settings.read({}, home=tmp_path_factory.mktemp("texts") / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    deploy_language(catalog, tmp_path_factory.mktemp("poet"))
    deploy_variant(catalog, tmp_path_factory.mktemp("support"))
    app, headers = create_app(catalog.settings), header(catalog, "predict", "admin")
    with TestClient(app, headers=headers, raise_server_exceptions=False) as opened:
        yield opened


def ask(client: TestClient, prompt: Any = "one tw", **body: Any) -> Any:
    return client.post("/v1/completions", json={"model": "poet", "prompt": prompt, "max_tokens": 60, **body})


def test_a_text_is_gone_on_with_in_the_shape_of_openai(client: TestClient) -> None:
    reply = ask(client).json()
    assert reply["choices"] == [{"index": 0, "text": GREEDY, "logprobs": None, "finish_reason": "stop"}]
    assert (reply["object"], reply["model"], reply["revision"]) == ("text_completion", "poet", 1)
    assert reply["usage"] == {"prompt_tokens": 7, "completion_tokens": len(GREEDY), "total_tokens": 7 + len(GREEDY)}


def test_several_texts_are_answered_in_their_order(client: TestClient) -> None:
    prompts = ["one tw", "three fou", ""]
    said = load_language_model(language_folder()).write(prompts, Sampling(max_new_tokens=9))
    choices = ask(client, prompts, max_tokens=9).json()["choices"]
    assert [(one["index"], one["text"]) for one in choices] == [(at, one["text"]) for at, one in enumerate(said)]


def test_a_text_is_cut_at_max_tokens_and_before_a_stop_word(client: TestClient) -> None:
    cut, stopped = ask(client, max_tokens=5).json()["choices"][0], ask(client, stop="ree").json()["choices"][0]
    assert (cut["text"], cut["finish_reason"]) == (GREEDY[:5], "length")
    assert (stopped["text"], stopped["finish_reason"]) == ("o th", "stop")


def test_log_probabilities_come_with_the_id_of_each_token(client: TestClient) -> None:
    told = ask(client, logprobs=0).json()["choices"][0]["logprobs"]
    assert "".join(told["tokens"]) == GREEDY
    assert all(one <= 0 for one in told["token_logprobs"])
    assert len(told["token_ids"]) == len(GREEDY)


def events(client: TestClient, prompt: Any = "one tw", **body: Any) -> list[Any]:
    lines = ask(client, prompt, stream=True, **body).text.split("\n\n")
    return [line.removeprefix("data: ") for line in lines if line]


def test_a_stream_has_the_same_words_and_ends_with_done(client: TestClient) -> None:
    *pieces, last, done = events(client)
    told = [json.loads(piece)["choices"][0]["text"] for piece in pieces]
    end = json.loads(last)
    assert ("".join(told), done) == (GREEDY, "[DONE]")
    assert (end["choices"][0]["finish_reason"], end["usage"]["completion_tokens"]) == ("stop", len(GREEDY))


def test_a_stream_of_several_texts_tells_them_apart(client: TestClient) -> None:
    *pieces, _, _, done = events(client, ["one tw", "one t"])
    said = ["", ""]
    for piece in pieces:
        (choice,) = json.loads(piece)["choices"]
        said[choice["index"]] += choice["text"]
    assert (said, done) == ([GREEDY, "w" + GREEDY], "[DONE]")


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_answered_is_on_record(client: TestClient, catalog: Catalog, stream: bool) -> None:
    identifier = json.loads(events(client)[0])["id"] if stream else ask(client).json()["id"]
    client.get("/v1/usage")
    found = prediction(catalog, identifier)
    assert found is not None
    assert (found["predictions"], found["inputs"]) == ([{"text": GREEDY, "finish": "stop"}], ["one tw"])


def test_each_text_is_an_input_of_its_own(client: TestClient) -> None:
    ask(client)
    (before,) = client.get("/v1/usage").json()["lines"]
    ask(client, ["one", "two", "six"], max_tokens=2)
    (after,) = client.get("/v1/usage").json()["lines"]
    assert (after["num_inputs"] - before["num_inputs"], after["num_requests"] - before["num_requests"]) == (3, 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ["x"] * 9}, "prompt"),
        ({"prompt": "x" * 20_001}, "prompt"),
        ({"prompt": ["x" * 15_000] * 2}, "prompt: value error, must have at most 20000 characters in all"),
        ({"temperature": -1}, "temperature: input should be greater than or equal to 0"),
        ({"max_tokens": 0}, "max_tokens: input should be greater than or equal to 1"),
        ({"echo": True}, "echo: input should be False"),
        ({"n": 2}, "n: input should be 1"),
        ({"best_of": 2}, "best_of: extra inputs are not permitted"),
        ({"model": "nobody"}, "model: no endpoint is named 'nobody'"),
        ({"model": "support"}, "model: support answers texts with labels or numbers"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_request_is_told_what_is_wrong(client: TestClient, body: Any, message: str, stream: bool) -> None:
    reply = ask(client, **{"stream": stream, **body})
    assert reply.status_code in (400, 404)
    assert message in error_of(reply)["message"]


def test_a_chat_is_refused_by_a_model_of_texts(client: TestClient) -> None:
    body = {"model": "poet", "messages": [{"role": "user", "content": "one"}]}
    reply = client.post("/v1/chat/completions", json=body)
    assert (reply.status_code, "POST /v1/completions" in error_of(reply)["remedy"]) == (400, True)


def test_a_key_without_the_scope_is_refused(client: TestClient, catalog: Catalog) -> None:
    body = {"model": "poet", "prompt": "x"}
    assert client.post("/v1/completions", json=body, headers=header(catalog, "feedback")).status_code == 403
