import logging
from pathlib import Path

import pytest

from modelmint.business.journal import Journal
from modelmint.business.metering import Ingester
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import prediction
from tests.business.journals import event, ingested, with_journal, write


def files(catalog: Catalog) -> list[Path]:
    return sorted(catalog.settings.journal.glob("usage-*.jsonl"))


def test_the_journal_of_a_dead_process_is_taken_in_and_removed(catalog: Catalog) -> None:
    write(catalog, event("pred_1"), event("pred_2"))
    assert (Ingester(catalog).run(), ingested(catalog), files(catalog)) == (2, ["pred_1", "pred_2"], [])


def test_the_journal_of_a_living_process_is_read_on_and_kept(catalog: Catalog) -> None:
    ingester = Ingester(catalog)

    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_1"))
        assert ingester.run() == 1
        await journal.append(event("pred_2"))
        assert (ingester.run(), len(files(catalog))) == (1, 1)

    with_journal(catalog, steps)
    assert ingested(catalog) == ["pred_1", "pred_2"]


def test_an_event_that_is_read_twice_counts_once(catalog: Catalog) -> None:
    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_1"))
        for _ in range(2):
            Ingester(catalog).run()

    with_journal(catalog, steps)
    assert ingested(catalog) == ["pred_1"]


def test_an_ingested_prediction_can_be_read_back(catalog: Catalog) -> None:
    write(catalog, event("pred_1"))
    Ingester(catalog).run()
    assert prediction(catalog, "pred_1")["inputs"] == ["where is my parcel"]


def test_a_torn_last_line_is_left_out_and_said(catalog: Catalog, caplog: pytest.LogCaptureFixture) -> None:
    write(catalog, event("pred_1"), event("pred_2"))
    (path,) = files(catalog)
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.WARNING):
        Ingester(catalog).run()
    assert (ingested(catalog), files(catalog)) == (["pred_1"], [])
    assert "never acknowledged" in caplog.text


def test_half_a_line_of_a_living_process_waits_for_its_rest(catalog: Catalog) -> None:
    ingester = Ingester(catalog)

    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_1"))
        (path,) = files(catalog)
        whole = path.read_bytes()
        path.write_bytes(whole[:50])
        assert ingester.run() == 0
        path.write_bytes(whole)
        assert ingester.run() == 1

    with_journal(catalog, steps)


def test_a_corrupt_line_goes_to_quarantine_and_the_others_are_taken(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    write(catalog, event("pred_1"), event("pred_2"), event("pred_3"))
    (path,) = files(catalog)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"num_inputs":1', b'"num_inputs":9')
    path.write_bytes(b"".join(lines))
    Ingester(catalog).run()
    (kept,) = (catalog.settings.journal / "quarantine").iterdir()
    assert (ingested(catalog), kept.read_bytes() + b"\n") == (["pred_1", "pred_3"], lines[1])
    assert "its checksum is wrong" in caplog.text


def test_an_event_that_the_database_refuses_does_not_hold_up_the_others(catalog: Catalog) -> None:
    write(catalog, event("pred_1"), event("pred_2", tenant="nobody"), event("pred_3"))
    Ingester(catalog).run()
    assert ingested(catalog) == ["pred_1", "pred_3"]
    assert len(list((catalog.settings.journal / "quarantine").iterdir())) == 1


def test_without_a_journal_there_is_nothing_to_do(catalog: Catalog) -> None:
    assert Ingester(catalog).run() == 0
