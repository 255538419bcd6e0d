import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from modelmint.api.routes.predict import while_connected
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import feedback_of, prediction
from tests.api.test_routes import error_of
from tests.tiny_variant import deploy_variant


def post(client: TestClient, **body: Any) -> Any:
    content = json.dumps({"model": "support", **body})
    return client.post("/v1/predict", content=content, headers={"content-type": "application/json"})


def test_a_text_gets_its_label(shared_client: TestClient) -> None:
    reply = post(shared_client, input="where is my parcel").json()
    assert reply.keys() == {"id", "model", "revision", "predictions", "usage"}
    assert (reply["model"], reply["revision"], reply["usage"]) == ("support", 1, {"num_inputs": 1, "num_tokens": 4})
    assert reply["predictions"] == [{"label": "delivery", "score": 0.964663}]


@pytest.mark.parametrize("given", ["money", ["money"], {"text": "money"}, [{"text": "money"}]])
def test_an_input_is_a_text_or_an_object_or_a_list_of_them(shared_client: TestClient, given: Any) -> None:
    assert [each["label"] for each in post(shared_client, input=given).json()["predictions"]] == ["refund"]


def test_many_inputs_are_answered_in_order(shared_client: TestClient) -> None:
    labels = [
        each["label"]
        for each in post(shared_client, input=["money", "parcel " * 40, "hello"] * 85).json()["predictions"]
    ]
    assert labels == ["refund", "delivery", "other"] * 85


def test_scores_come_only_when_asked(shared_client: TestClient) -> None:
    (answer,) = post(shared_client, input="hello", scores=True).json()["predictions"]
    assert answer["scores"].keys() == {"refund", "delivery", "other"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "input: field required; got nothing"),
        ({"input": []}, "input: list should have at least 1 item"),
        ({"input": ["x"] * 257}, "input: list should have at most 256 items"),
        ({"input": "x" * 20_001}, "input[0]: string should have at most 20000 characters; got 20001 characters"),
        ({"input": ["fine", 5]}, 'input[1]: must be a text, {"text": ...}, '),
        ({"input": [{"text": "a", "text_pair": 5}]}, "input[0].text_pair: input should be a valid string; got 5"),
        ({"input": {"text": "a", "text_pair": "b"}}, "input[0]: must be one text: `text`; got text and text_pair"),
        ({"input": {"txt": "x"}}, 'input[0]: must be a text, {"text": ...}, '),
        ({"input": "x", "score": True}, "score: extra inputs are not permitted; got True"),
        ({"input": "\ud800"}, "input[0]: input should be a valid string"),
        ({"input": "x", "\ud800": 1}, "body: input should be a valid string"),
    ],
)
def test_a_wrong_body_is_told_what_is_allowed_and_what_was_given(
    shared_client: TestClient, body: dict[str, Any], message: str
) -> None:
    response = post(shared_client, **body)
    assert response.status_code == 400
    assert error_of(response)["message"].startswith(message)


def test_an_unknown_endpoint_names_those_there_are(shared_client: TestClient) -> None:
    response = post(shared_client, model="suport", input="x")
    assert (response.status_code, error_of(response)["message"]) == (
        404,
        "model: no endpoint is named 'suport'; there are support",
    )


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{" * 5000, "application/json", 400),
        (b"model=support", "application/x-www-form-urlencoded", 415),
        (b'"' + b"x" * (1 << 20) + b'"', "application/json", 413),
        (b"\xff\xfe", "application/json", 400),
    ],
)
def test_a_body_that_is_not_ours_is_refused(shared_client: TestClient, content: bytes, kind: str, status: int) -> None:
    response = shared_client.post("/v1/predict", content=content, headers={"content-type": kind})
    assert response.status_code == status
    error_of(response)


def test_a_body_without_a_length_is_cut_at_the_limit(shared_client: TestClient) -> None:
    chunks = (b"x" * 65536 for _ in range(32))
    response = shared_client.post("/v1/predict", content=chunks, headers={"content-type": "application/json"})
    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")


def test_every_acknowledged_request_is_in_the_statement_at_once(catalog: Catalog, client: TestClient) -> None:
    identifiers = [post(client, input=["a", "b"]).json()["id"] for _ in range(5)]
    (line,) = client.get("/v1/usage").json()["lines"]
    assert (line["num_requests"], line["num_inputs"], line["price"]) == (5, 10, "0.50 USD")
    assert [prediction(catalog, identifier)["inputs"] for identifier in identifiers] == [["a", "b"]] * 5


def test_a_refused_request_is_not_billed(client: TestClient) -> None:
    post(client, input=[])
    assert client.get("/v1/usage").json()["lines"] == []


def test_feedback_can_follow_its_prediction_at_once(catalog: Catalog, client: TestClient) -> None:
    identifier = post(client, input="money").json()["id"]
    reply = client.post("/v1/feedback", json={"prediction": identifier, "label": "other", "rating": -1})
    assert reply.json()["prediction"] == identifier
    assert [(each["label"], each["rating"]) for each in feedback_of(catalog, "support")] == [("other", -1)]


@pytest.mark.parametrize(
    "body", [{"prediction": "pred_9", "rating": 1}, {"prediction": "x" * 41, "rating": 1}, {"rating": 9}]
)
def test_wrong_feedback_is_refused(shared_client: TestClient, body: dict[str, Any]) -> None:
    assert shared_client.post("/v1/feedback", json=body).status_code in {400, 404}


def test_models_have_the_shape_of_the_openai_api(shared_client: TestClient) -> None:
    reply = shared_client.get("/v1/models").json()
    assert (reply["object"], [(each["id"], each["object"]) for each in reply["data"]]) == (
        "list",
        [("support", "model")],
    )


def test_a_rollback_by_the_api_is_served_within_a_second(catalog: Catalog, client: TestClient, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path / "2", labels=("A", "B", "C"))
    assert client.post("/v1/deployments/support/rollback").json()["revision"] == 1
    assert post(client, input="money").json()["revision"] == 1


def test_the_work_for_a_client_that_went_away_is_cancelled() -> None:
    cancelled: list[bool] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def work() -> dict[str, Any]:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return {}

    async def main() -> None:
        request = Request({"type": "http", "method": "POST", "headers": []}, receive)
        assert await while_connected(request, work()) is None
        await asyncio.sleep(0)

    asyncio.run(main())
    assert cancelled == [True]
