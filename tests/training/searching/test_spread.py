"""A search on Ray: trials side by side, the same study as here."""

import pytest

from tests.training.searching.conftest import HEAD, QUICK, Searching

ray = pytest.importorskip("ray")

SPEC = {"trials": 4, "at_once": 2, "space": HEAD, "train": QUICK}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_side_by_side_on_ray_the_study_is_that_of_this_machine(searching: Searching) -> None:
    here = searching.find(**SPEC)
    there = searching.find(**SPEC, context_changes={"ray_address": "local", "num_threads": 2})
    assert there.facts == here.facts


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_on_ray_the_budget_in_time_stops_the_trials_under_way(searching: Searching) -> None:
    study = searching.find(
        **{**SPEC, "trials": None, "at_once": 2, "minutes": 1e-3, "train": {**QUICK, "epochs": 30}},
        context_changes={"ray_address": "local", "num_threads": 2},
    )
    assert [trial["state"] for trial in study.facts["trials"]] == ["complete", "stopped"]
    assert study.facts["ended_by"] == "minutes"
