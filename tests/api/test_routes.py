"""Every route: its permission, and the one shape of errors."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute
from httpx import Response
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.core.settings import Settings

OPEN = {"/health"}
ROUTES = [
    ("DELETE", "/v1/aliases/{name}"),
    ("DELETE", "/v1/artifacts/{identifier}"),
    ("DELETE", "/v1/artifacts/{identifier}/pin"),
    ("GET", "/health"),
    ("GET", "/openapi.json"),
    ("GET", "/v1/aliases"),
    ("GET", "/v1/artifacts/{identifier}"),
    ("GET", "/v1/artifacts/{identifier}/licences"),
    ("GET", "/v1/datasets/{before}/diff/{after}"),
    ("GET", "/v1/deployments"),
    ("GET", "/v1/models"),
    ("GET", "/v1/runs"),
    ("GET", "/v1/runs/{run}"),
    ("GET", "/v1/usage"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/datasets/{identifier}/advice"),
    ("POST", "/v1/deployments/{endpoint}/improve"),
    ("POST", "/v1/deployments/{endpoint}/rollback"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/feedback"),
    ("POST", "/v1/predict"),
    ("POST", "/v1/rerank"),
    ("POST", "/v1/runs/{run}/cancel"),
    ("POST", "/v1/runs/{run}/override"),
    ("PUT", "/v1/aliases/{name}"),
    ("PUT", "/v1/artifacts/{identifier}/pin"),
]
GUARDED = [route for route in ROUTES if route[1] not in OPEN]


def error_of(response: Response) -> dict[str, Any]:
    """The error, once it is sure that it has the one shape."""
    body = response.json()
    assert body.keys() == {"error"}
    assert (
        {"message", "type", "param", "code", "remedy"}
        <= body["error"].keys()
        <= {"message", "type", "param", "code", "remedy", "about"}
    )
    assert response.headers["x-request-id"].startswith("req_")
    error: dict[str, Any] = body["error"]
    return error


def test_the_table_of_routes_is_complete(settings: Settings) -> None:
    routes = create_app(settings).routes
    assert sorted(_all(routes)) == ROUTES


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_without_a_key_a_route_answers_401(shared_client: TestClient, method: str, path: str) -> None:
    response = shared_client.request(method, path, headers={"Authorization": ""})
    assert (response.status_code, error_of(response)["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_with_another_scope_a_route_answers_403(
    shared_client: TestClient, key: Callable[..., dict[str, str]], method: str, path: str
) -> None:
    scopes = sorted({"predict", "feedback", "admin", "override"} - {_scope(method, path)})
    response = shared_client.request(method, path, headers=key(*scopes))
    assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")


def test_an_override_needs_both_permissions(shared_client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    for scopes in (("admin",), ("override",), ("predict", "feedback", "admin")):
        response = shared_client.post("/v1/runs/run_1/override", json={"reason": "so"}, headers=key(*scopes))
        assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")
    response = shared_client.post("/v1/runs/run_1/override", json={"reason": "so"}, headers=key("admin", "override"))
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


def test_health_needs_no_key(shared_client: TestClient) -> None:
    assert shared_client.get("/health", headers={"Authorization": ""}).json() == {"status": "ok"}


def test_the_description_covers_every_route_and_its_key(shared_client: TestClient) -> None:
    paths = shared_client.get("/openapi.json").json()["paths"]
    described = {
        (method.upper(), path): "security" in body for path, item in paths.items() for method, body in item.items()
    }
    assert described == {route: route[1] not in OPEN for route in ROUTES if route[1] != "/openapi.json"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/predict", 405, "method_not_allowed"),
        ("GET", "/v1/artifacts/ds_1", 404, "not_found"),
        ("GET", "/v1/runs/run_1", 404, "not_found"),
        ("GET", "/v1/runs?limit=0", 400, "invalid_request"),
        ("GET", "/v1/usage?since=yesterday", 400, "invalid_request"),
        ("GET", "/v1/usage?since=2026-01-01T00:00:00", 400, "invalid_request"),
        ("GET", "/v1/artifacts/ds_1/licences", 404, "not_found"),
        ("GET", "/v1/datasets/ds_1/diff/ds_2", 404, "not_found"),
        ("POST", "/v1/datasets/ds_1/advice", 400, "invalid_request"),
        ("DELETE", "/v1/aliases/golden", 404, "not_found"),
        ("DELETE", "/v1/artifacts/ds_1", 404, "not_found"),
        ("DELETE", "/v1/artifacts/ds_1/pin", 404, "not_found"),
        ("PUT", "/v1/aliases/golden", 400, "invalid_request"),
        ("PUT", "/v1/artifacts/ds_1/pin", 400, "invalid_request"),
        ("POST", "/v1/runs/run_1/cancel", 404, "not_found"),
        ("POST", "/v1/runs/run_1/override", 400, "invalid_request"),
        ("POST", "/v1/deployments/sales/improve", 404, "not_found"),
        ("POST", "/v1/deployments/support/improve", 400, "invalid_request"),
        ("POST", "/v1/deployments/sales/rollback", 404, "not_found"),
        ("POST", "/v1/deployments/support/rollback", 400, "invalid_request"),
    ],
)
def test_a_wrong_request_gets_its_status_in_the_one_shape(
    shared_client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    response = shared_client.request(method, path)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_an_unexpected_failure_shows_nothing_of_its_inside(client: TestClient) -> None:
    def fail() -> None:
        raise RuntimeError("the password is swordfish")

    client.app.get("/fail")(fail)  # type: ignore[attr-defined]
    response = client.get("/fail")
    assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
    assert "swordfish" not in response.text


def test_a_manifest_does_not_say_where_its_bytes_lie(shared_client: TestClient) -> None:
    (deployment,) = shared_client.get("/v1/deployments").json()["data"]
    manifest = shared_client.get(f"/v1/artifacts/{deployment['variant']}").json()
    assert manifest["kind"] == "model"
    assert {name for file in manifest["files"] for name in file} == {"path", "sha256", "size_bytes"}


def test_a_name_is_set_kept_from_removal_and_taken_away(shared_client: TestClient) -> None:
    (deployment,) = shared_client.get("/v1/deployments").json()["data"]
    named = shared_client.put("/v1/aliases/live", json={"artifact": deployment["model"]})
    assert named.json() == {"name": "live", "artifact": deployment["model"], "before": None}
    refused = shared_client.delete("/v1/artifacts/live")
    assert (refused.status_code, "it has the name live" in error_of(refused)["message"]) == (400, True)
    assert shared_client.delete("/v1/aliases/live").status_code == 200


def test_a_served_model_cannot_be_removed(shared_client: TestClient) -> None:
    (deployment,) = shared_client.get("/v1/deployments").json()["data"]
    refused = shared_client.delete(f"/v1/artifacts/{deployment['variant']}")
    assert "the endpoint support has a revision of it" in error_of(refused)["message"]


def test_the_licences_of_a_model_are_answered_with_its_parents(shared_client: TestClient) -> None:
    (deployment,) = shared_client.get("/v1/deployments").json()["data"]
    body = shared_client.get(f"/v1/artifacts/{deployment['model']}/licences").json()
    assert body["may_be_sold"] in {"yes", "conditions", "no", "unknown"}


def _all(routes: Any) -> list[tuple[str, str]]:
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            found += [(method, route.path) for method in route.methods]
        else:
            found += _all(getattr(route, "routes", None) or route.original_router.routes)
    return found


def _scope(method: str, path: str) -> str:
    if path in {
        "/v1/predict",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/rerank",
        "/v1/models",
        "/openapi.json",
    }:
        return "predict"
    if path.endswith("/override"):
        return "override"
    return "feedback" if path == "/v1/feedback" else "admin"
