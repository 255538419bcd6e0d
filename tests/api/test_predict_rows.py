"""Rows of a table through the whole application: boosted trees behind an endpoint."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import deploy
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.events import feedback_of, prediction
from modelmint.compression.variants import Workshop
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.feedback.snapshot import snapshot
from tests.api.conftest import header
from tests.api.test_routes import error_of
from tests.training.tasks.made import fit
from tests.training.tasks.media import customers

ROW: dict[str, Any] = {"contract": "monthly", "fee": 80.5, "region": "north"}
WHOLE: dict[str, Any] = {"min_steps": None, "precision": None}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"regon": "north"}, ": there is no column 'regon'"),
    ({"fee": "much"}, ": fee must be a number; got 'much'"),
    ({"fee": float("nan")}, ".fee: must be a text, a finite number, true, false or null; got nan"),
    ({"fee": [5]}, ".fee: must be a text, a finite number, true, false or null; got [5]"),
    ({"region": "x" * 20_001}, ".region: must have at most 20000 characters"),
]


@pytest.fixture
def client(context: StageContext, desk: StagingDesk, catalog: Catalog) -> Iterator[TestClient]:
    ctx = dataclasses.replace(context, num_threads=1)
    model = fit(ctx, desk, "tabular-classification", customers(200), customers(60, seed=9), **WHOLE).model
    workshop = Workshop(model, ctx)
    variant = workshop.lay_down("lightgbm-fp64", workshop.make("lightgbm-fp64"))
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    deploy(catalog, endpoint="churn", model=model.id, variant=variant.id, price="0.50 USD")
    with TestClient(create_app(catalog.settings), headers=header(catalog, "predict", "feedback")) as opened:
        yield opened


def post(client: TestClient, given: Any, **body: Any) -> Any:
    content = json.dumps({"model": "churn", "input": given, **body})  # NaN as Python writes it
    return client.post("/v1/predict", content=content, headers={"content-type": "application/json"})


def test_rows_get_labels_in_order_and_are_kept_with_what_was_right(client: TestClient, catalog: Catalog) -> None:
    stays = {"row": {**ROW, "contract": "yearly", "fee": 12}}
    reply = post(client, [{"row": ROW}, stays], scores=True).json()
    assert [one["label"] for one in reply["predictions"]] == ["leaves", "stays"]
    assert sum(reply["predictions"][0]["scores"].values()) == pytest.approx(1)
    client.post("/v1/feedback", json={"prediction": reply["id"], "index": 1, "label": "leaves"})
    assert prediction(catalog, reply["id"])["inputs"] == [{"row": ROW}, stays]
    assert [one["label"] for one in feedback_of(catalog, "churn")] == ["leaves"]
    with pytest.raises(InputError, match="feedback is learned from where one text has one label"):
        snapshot(catalog, "churn")


def test_cells_may_be_missing_unseen_reordered_and_texts_of_numbers(client: TestClient) -> None:
    same = [ROW, dict(reversed(ROW.items())), {**ROW, "fee": "80.5"}, {**ROW, "customer": "c-1"}]
    answers = post(client, [{"row": one} for one in same]).json()["predictions"]
    assert all(one == answers[0] for one in answers)
    odd = [{**ROW, "fee": None}, {**ROW, "contract": "weekly"}, {**ROW, "fee": 1e308}, {"region": None}]
    assert post(client, [{"row": one} for one in odd]).status_code == 200  # fee and contract had missing cells


def test_a_row_that_cannot_be_answered_is_told_why(client: TestClient) -> None:
    for change, message in REFUSED:
        response = post(client, {"row": {**ROW, **change}})
        assert response.status_code == 400
        assert error_of(response)["message"].startswith(f"input[0].row{message}")
    assert error_of(post(client, {"row": {"fee": 5}}))["message"] == "input[0].row: must have the column region"


def test_a_column_is_refused_with_the_nearest_name(client: TestClient) -> None:
    assert "Did you mean region?" in error_of(post(client, {"row": {**ROW, "regon": "north"}}))["remedy"]
