"""Recommendations over HTTP: what comes back for odd histories, what is refused, what is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import feedback_of, prediction
from modelmint.core.settings import Settings
from tests.api.conftest import header
from tests.api.test_routes import error_of
from tests.tiny_recommender import FILMS, deploy_recommender

FARGO, TOYS, ALIEN, AMELIE, HEAT, SEVEN = FILMS


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Catalog]]:
    work = tmp_path_factory.mktemp("films")
    catalog = Catalog(Settings.read({}, home=work / "home"))
    deploy_recommender(catalog, work)
    headers = header(catalog, "predict", "feedback")
    with TestClient(create_app(catalog.settings), headers=headers, raise_server_exceptions=False) as opened:
        yield opened, catalog
    catalog.close()


def post(films: tuple[TestClient, Catalog], given: Any) -> Any:
    return films[0].post("/v1/predict", json={"model": "films", "input": given})


def answer(films: tuple[TestClient, Catalog], items: list[str], **more: Any) -> Any:
    (found,) = post(films, {"items": items, **more}).json()["predictions"]
    return found


def names(found: Any) -> list[str]:
    return [one["item"] for one in found["items"]]


def test_what_follows_is_given_without_what_was_taken(films: tuple[TestClient, Catalog]) -> None:
    found = answer(films, [FARGO, TOYS])
    assert (names(found), found["by"], found["unknown_items"]) == ([ALIEN, AMELIE, HEAT, SEVEN], "history", [])
    assert sum(one["score"] for one in found["items"]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("items", [[], ["no such film", "😀"]])
def test_who_took_nothing_that_is_known_is_given_what_is_popular(
    films: tuple[TestClient, Catalog], items: list[str]
) -> None:
    found = answer(films, items, num_items=3)
    assert (names(found), found["by"], found["unknown_items"]) == ([TOYS, ALIEN, HEAT], "popularity", items)
    assert found["items"][0]["score"] == pytest.approx(90 / 156, rel=1e-4)


def test_items_that_are_not_known_are_told_and_passed_over(films: tuple[TestClient, Catalog]) -> None:
    found = answer(films, [FARGO, "fargo (1996)", f" {TOYS} ", ""])
    assert found["unknown_items"] == ["fargo (1996)", f" {TOYS} ", ""]
    assert found["items"] == answer(films, [FARGO])["items"]


def test_only_the_newest_are_read_and_all_are_left_out(films: tuple[TestClient, Catalog]) -> None:
    found = answer(films, [SEVEN, FARGO, FARGO, FARGO])
    assert found["items"][0]["item"] == TOYS
    assert SEVEN not in names(found)


def test_a_name_with_an_emoji_is_a_name(films: tuple[TestClient, Catalog]) -> None:
    assert names(answer(films, [AMELIE])) == [HEAT, SEVEN, FARGO, TOYS, ALIEN]


def test_who_took_everything_is_given_nothing(films: tuple[TestClient, Catalog]) -> None:
    assert answer(films, list(FILMS))["items"] == []


def test_a_very_long_history_is_answered(films: tuple[TestClient, Catalog]) -> None:
    assert names(answer(films, [FARGO, TOYS] * 500))[0] == ALIEN


def test_several_users_are_answered_in_order(films: tuple[TestClient, Catalog]) -> None:
    reply = post(films, [{"items": [HEAT]}, {"items": []}, {"items": [FARGO], "num_items": 1}] * 20).json()
    assert [names(one)[0] for one in reply["predictions"]] == [SEVEN, TOYS, TOYS] * 20
    assert reply["usage"] == {"num_inputs": 60, "num_tokens": 40}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Fargo", "input[0]: must be what a user took, the oldest first: `items`; got text"),
        ({"items": "Fargo"}, "input[0].items: input should be a valid list; got 'Fargo'"),
        ({"items": [1]}, "input[0].items[0]: input should be a valid string; got 1"),
        ({"items": ["x"] * 1_001}, "input[0].items: list should have at most 1000 items"),
        ({"items": ["x" * 1_001]}, "input[0].items[0]: string should have at most 1000 characters"),
        ({"items": ["x" * 999] * 300}, "input[0].items: value error, items together should have at most 200000"),
        ({"items": [], "num_items": 101}, "input[0].num_items: input should be less than or equal to 100; got 101"),
        ({"items": [], "user": "u1"}, "input[0].user: extra inputs are not permitted; got 'u1'"),
    ],
)
def test_a_wrong_input_is_told_what_is_allowed(films: tuple[TestClient, Catalog], given: Any, message: str) -> None:
    response = post(films, given)
    assert response.status_code == 400
    assert error_of(response)["message"].startswith(message)


def test_a_prediction_is_kept_and_can_be_corrected(films: tuple[TestClient, Catalog]) -> None:
    client, catalog = films
    given = {"items": [FARGO, "unknown 😀"], "num_items": 2}
    reply = post(films, given).json()
    said = client.post("/v1/feedback", json={"prediction": reply["id"], "label": HEAT, "rating": -1})
    assert said.status_code == 200
    kept = prediction(catalog, reply["id"])
    assert (kept["inputs"], kept["predictions"]) == ([given], reply["predictions"])
    assert [one["label"] for one in feedback_of(catalog, "films")] == [HEAT]


def test_items_that_are_not_those_of_the_network_do_not_open(tmp_path: Path) -> None:
    import json

    from modelmint.core.errors import IntegrityError
    from modelmint.serving.engines import open_engine
    from tests.tiny_recommender import write_recommender

    folder = write_recommender(tmp_path)
    (folder / "items.json").write_text(json.dumps({"items": FILMS[:4], "counts": [1, 1, 1, 1]}))
    with pytest.raises(IntegrityError, match="4 items need as many scores; got 6"):
        open_engine(folder, 1)
