import asyncio
from pathlib import Path

from modelmint.business.service import predict_here
from modelmint.catalog.catalog import Catalog
from tests.business.journals import ingested
from tests.tiny_variant import deploy_variant


def test_an_answer_in_this_process_leaves_its_record_in_the_database(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path)
    reply = predict_here(catalog.settings, "support", ["money", "parcel"])
    assert [each["label"] for each in reply["predictions"]] == ["refund", "delivery"]
    assert ingested(catalog) == [reply["id"]]


def test_it_works_where_an_event_loop_runs_already(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path)

    async def notebook() -> int:
        return len(predict_here(catalog.settings, "support", ["money"])["predictions"])

    assert asyncio.run(notebook()) == 1
