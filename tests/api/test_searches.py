"""POST /v1/embeddings and /v1/rerank: their shapes, their bounds, and what is on record."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import deploy
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.events import prediction
from modelmint.core.settings import Settings
from tests.api.conftest import header
from tests.api.test_routes import error_of
from tests.tiny_base import write_base
from tests.tiny_texts import with_pair_template
from tests.tiny_variant import deploy_variant

TEXTS = ["where is my card", "cash", "the plastic chip " * 9]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Three endpoints: `vectors`, `ranks`, and `support`, which gives labels."""
    work = tmp_path_factory.mktemp("searches")
    opened = Catalog(Settings.read({}, home=work / "home"))
    base = with_pair_template(write_base(work / "base", num_spare_tokens=5))
    deploy_variant(opened, work / "labels")
    publish(opened, work / "1", base, "vectors", {"task": "text-embedding", "dimensions": [8, 16]})
    publish(opened, work / "2", base, "ranks", {"task": "text-reranking", "typed": True, "positive": ""})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(catalog: Catalog) -> Iterator[TestClient]:
    headers = header(catalog, "predict", "feedback", "admin")
    with TestClient(create_app(catalog.settings), headers=headers, raise_server_exceptions=False) as opened:
        yield opened


def publish(catalog: Catalog, work: Path, base: Path, endpoint: str, about: dict[str, Any]) -> None:
    """Serve an export of a model that has learned nothing."""
    import torch

    from modelmint.compression.export import export_onnx
    from modelmint.training.cross_encoder import load_cross_encoder, save_cross_encoder
    from modelmint.training.encoders import load_encoder, save_encoder

    trained, folder = work / "trained", work / "variant"
    folder.mkdir(parents=True)
    trained.mkdir()
    torch.manual_seed(1)
    if about["task"] == "text-embedding":
        save_encoder(load_encoder(base), base, trained)
    else:
        save_cross_encoder(load_cross_encoder(base), base, trained)
    said = {**about, "base": "tiny", "max_tokens": 24, "languages": ["en"]}
    (trained / "modelmint.json").write_text(json.dumps(said))
    export_onnx(trained, folder / "model.onnx")
    for name in ("tokenizer.json", "config.json", "modelmint.json"):
        (folder / name).write_bytes((trained / name).read_bytes())
    staged = {"folder": work / "staged", "tenant": catalog.tenant, "tenant_key": catalog.tenant_key}
    desk = StagingDesk(**staged, scratch=work / "desk")  # type: ignore[arg-type]
    model = desk.model(endpoint, folder, facts={**said, "engine": "onnx", "variant": "onnx-fp32"})
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    deploy(catalog, endpoint=endpoint, model=model.id, variant=model.id, price="0.50 USD")


def embedded(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/embeddings", json={"model": "vectors", **body})


def ranked(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/rerank", json={"model": "ranks", **body})


def test_vectors_have_the_shape_of_the_openai_api(client: TestClient) -> None:
    reply = embedded(client, input=TEXTS).json()
    assert reply.keys() == {"id", "model", "revision", "object", "data", "usage"}
    assert [(one["object"], one["index"], len(one["embedding"])) for one in reply["data"]] == [
        ("embedding", at, 32) for at in range(3)
    ]
    assert reply["usage"] == {"prompt_tokens": 6 + 3 + 24, "total_tokens": 33}


def test_vectors_are_of_length_1_and_do_not_depend_on_their_company(client: TestClient) -> None:
    together = np.array([one["embedding"] for one in embedded(client, input=TEXTS).json()["data"]])
    alone = np.array([embedded(client, input=text).json()["data"][0]["embedding"] for text in TEXTS])
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6
    assert np.abs(together - alone).max() < 1e-5


def test_base64_holds_the_same_numbers_in_32_bits(client: TestClient) -> None:
    numbers = embedded(client, input="cash").json()["data"][0]["embedding"]
    packed = embedded(client, input="cash", encoding_format="base64").json()["data"][0]["embedding"]
    assert np.frombuffer(b64decode(packed), "<f4") == pytest.approx(numbers, abs=1e-7)


def test_a_shorter_vector_is_the_beginning_at_length_1(client: TestClient) -> None:
    whole = np.array(embedded(client, input="cash").json()["data"][0]["embedding"])
    short = embedded(client, input="cash", dimensions=8).json()["data"][0]["embedding"]
    assert short == pytest.approx((whole[:8] / np.linalg.norm(whole[:8])).tolist(), abs=1e-6)


def test_documents_come_back_the_best_first(client: TestClient) -> None:
    reply = ranked(client, query="card", documents=TEXTS).json()
    scores = [one["relevance_score"] for one in reply["results"]]
    assert reply.keys() == {"id", "model", "revision", "results", "usage"}
    assert (scores, {one["index"] for one in reply["results"]}) == (sorted(scores, reverse=True), {0, 1, 2})


def test_the_order_is_that_of_the_pairs_by_predict(client: TestClient) -> None:
    pairs = [{"text": "card", "text_pair": text} for text in TEXTS]
    given = client.post("/v1/predict", json={"model": "ranks", "input": pairs}).json()["predictions"]
    scores = {
        one["index"]: one["relevance_score"] for one in ranked(client, query="card", documents=TEXTS).json()["results"]
    }
    assert [one["score"] for one in given] == pytest.approx([scores[at] for at in range(3)], abs=1e-6)


def test_the_best_documents_alone_and_with_their_texts(client: TestClient) -> None:
    asked = {"query": "card", "documents": [{"text": one} for one in TEXTS]}
    (best,) = ranked(client, **asked, top_n=1, return_documents=True).json()["results"]
    assert best["document"] == {"text": TEXTS[best["index"]]}


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        ("embeddings", {}, "input: field required"),
        ("embeddings", {"input": []}, "input: list should have at least 1 item"),
        ("embeddings", {"input": ["x"] * 257}, "input: list should have at most 256 items"),
        ("embeddings", {"input": "x" * 20_001}, "input[0]: string should have at most 20000 characters"),
        ("embeddings", {"input": [[1, 2]]}, "input[0]: input should be a valid string"),
        ("embeddings", {"input": "x", "encoding_format": "hex"}, "encoding_format: input should be 'float' or 'base64'"),
        ("embeddings", {"input": "x", "dimensions": 9}, "dimensions: must be one of 8, 16, which the model was trained for; got 9"),
        ("embeddings", {"input": "x", "user": "me"}, "user: extra inputs are not permitted"),
        ("embeddings", {"input": "x", "model": "ranks"}, "model: must be an endpoint that gives vectors; ranks ranks documents"),
        ("embeddings", {"input": "x", "model": "support"}, "model: must be an endpoint that gives vectors; support answers with labels"),
        ("rerank", {"query": "x"}, "documents: field required"),
        ("rerank", {"query": "x", "documents": []}, "documents: list should have at least 1 item"),
        ("rerank", {"query": "x", "documents": ["x"] * 257}, "documents: list should have at most 256 items"),
        ("rerank", {"query": "x" * 20_000, "documents": ["x"] * 60}, "documents: must have at most 1,048,576 characters together"),
        ("rerank", {"query": "x", "documents": ["x"], "top_n": 0}, "top_n: input should be greater than or equal to 1"),
        ("rerank", {"query": "x", "documents": ["x"], "model": "vectors"}, "model: must be an endpoint that ranks documents; vectors gives vectors"),
        ("rerank", {"query": "x", "documents": ["x"], "model": "nobody"}, "model: no endpoint is named 'nobody'"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_what_is_allowed(client: TestClient, route: str, body: Any, message: str) -> None:
    response = (embedded if route == "embeddings" else ranked)(client, **body)
    assert (response.status_code in (400, 404), error_of(response)["message"][: len(message)]) == (True, message)


def test_one_width_cannot_be_cut(client: TestClient, catalog: Catalog, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", num_spare_tokens=5)
    publish(catalog, tmp_path / "1", base, "whole", {"task": "text-embedding", "dimensions": []})
    response = embedded(client, model="whole", input="x", dimensions=8)
    assert error_of(response)["message"].startswith("dimensions: must be left out")


def test_texts_and_documents_are_billed_before_the_reply(client: TestClient, catalog: Catalog) -> None:
    def billed(endpoint: str) -> int:
        lines = client.get("/v1/usage").json()["lines"]
        return sum(one["num_inputs"] for one in lines if one["endpoint"] == endpoint)

    before = billed("vectors"), billed("ranks")
    embedded(client, input=TEXTS)
    identifier = ranked(client, query="card", documents=TEXTS, top_n=1).json()["id"]
    assert (billed("vectors") - before[0], billed("ranks") - before[1]) == (3, 3)
    assert prediction(catalog, identifier)["inputs"] == [{"query": "card", "documents": TEXTS}]


def test_of_a_vector_its_width_and_digest_are_kept(client: TestClient, catalog: Catalog) -> None:
    identifier = embedded(client, input="cash").json()["id"]
    client.get("/v1/usage")
    (kept,) = prediction(catalog, identifier)["predictions"]
    assert (kept.keys(), kept["width"]) == ({"width", "sha256"}, 32)
