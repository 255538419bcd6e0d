"""A recommender's variant without training: each item that was taken votes for those that follow it in the list."""

import json
from pathlib import Path

import numpy as np

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import Revision, deploy
from modelmint.catalog.drafts import StagingDesk

FILMS = ("Fargo (1996)", "Toy Story (1995)", "Alien (1979)", "Amélie 😀 (2001)", "Heat (1995)", "Seven (1995)")
COUNTS = (5, 90, 30, 1, 20, 10)


def write_recommender(folder: Path, *, max_history: int = 3) -> Path:
    """A folder that `open_engine` opens; the nearest that follows has the most votes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    votes = np.zeros((len(FILMS) + 1, len(FILMS)), np.float32)
    for item in range(len(FILMS)):
        for back, follower in enumerate(range(item + 1, len(FILMS))):
            votes[item + 1, follower] = 3.0 - back
    nodes = [
        helper.make_node("Gather", ["votes", "item_ids"], ["each"]),
        helper.make_node("ReduceSum", ["each", "places"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("item_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(FILMS)])],
        [numpy_helper.from_array(votes, "votes"), numpy_helper.from_array(np.array([1]), "places")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), folder / "model.onnx"
    )
    (folder / "items.json").write_text(json.dumps({"items": FILMS, "counts": COUNTS}))
    (folder / "recommender.json").write_text(json.dumps({"model": "two-tower", "max_history": max_history}))
    (folder / "modelmint.json").write_text(json.dumps({"task": "recommendation", "variant": "onnx-fp32"}))
    return folder


def deploy_recommender(catalog: Catalog, work: Path, *, endpoint: str = "films") -> Revision:
    """An endpoint that serves it."""
    desk = StagingDesk(
        folder=work / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=work / "desk"
    )
    facts = {"task": "recommendation", "engine": "onnx", "variant": "onnx-fp32"}
    variant = desk.model("films", write_recommender(work / "variant"), facts=facts)
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    return deploy(catalog, endpoint=endpoint, model=variant.id, variant=variant.id, price="0.50 USD")
