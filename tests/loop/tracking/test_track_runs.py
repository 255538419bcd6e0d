"""Telling trackers of runs: TensorBoard's own reader and MLflow's own client read what was written."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from modelmint.catalog.catalog import Catalog
from modelmint.cli.main import modelmint
from modelmint.core.errors import InputError, UnavailableError
from modelmint.loop.tracking.record import Record, record_of
from modelmint.loop.tracking.track import at_end, track
from modelmint.workspace import Workspace

Ran = Callable[..., str]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def record(workspace: Workspace, ran: Ran) -> Record:
    found = record_of(workspace.catalog, ran("questions"))
    assert found is not None
    return found


def test_neither_rows_nor_the_places_of_data_are_told(workspace: Workspace, ran: Ran, record: Record) -> None:
    told = f"{record.params} {record.tags}".lower()
    assert "questions.csv" not in told
    assert "plastic" not in told
    assert set(record.pages) == {"training.html"}
    assert "plastic" not in record.pages["training.html"]


def test_curves_knobs_and_digests_are_told(workspace: Workspace, ran: Ran, record: Record) -> None:
    model = workspace.get(workspace.show(ran("questions"))["stages"][2]["roles"]["model"][0])
    assert record.tags["modelmint.model_digest"] == model.digest
    assert record.params["train.learning_rate"] == 2e-4
    assert {"train/loss", "train/gradient_norm", "train/tokens_per_s", "validation/accuracy"} <= record.series.keys()
    assert [point.step for point in record.series["validation/accuracy"]] == [1, 2]


def test_a_run_that_trained_nothing_has_no_record(workspace: Workspace, ran: Ran) -> None:
    assert record_of(workspace.catalog, ran("questions", name="half", until="split")) is None


def test_event_files_are_read_by_tensorboard(workspace: Workspace, ran: Ran, record: Record, tmp_path: Path) -> None:
    events = _read_events(workspace, ran, tmp_path)
    assert [event.step for event in events.Scalars("train/loss")] == [
        point.step for point in record.series["train/loss"]
    ]
    assert events.Scalars("train/loss")[0].value == pytest.approx(record.series["train/loss"][0].value, rel=1e-6)
    assert events.Scalars("test/accuracy")[0].value == pytest.approx(record.figures["test/accuracy"], rel=1e-6)


def test_event_files_hold_the_knobs(workspace: Workspace, ran: Ran, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = _read_events(workspace, ran, tmp_path)
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    knobs = HParamsPluginData.FromString(content).session_start_info.hparams
    assert knobs["train.learning_rate"].number_value == 2e-4


def test_event_files_written_twice_stand_once(workspace: Workspace, ran: Ran, tmp_path: Path) -> None:
    _needs_tensorboard()
    places = {workspace.track(ran("questions"), tensorboard=tmp_path)["tensorboard"] for _ in range(2)}
    assert len(list(Path(places.pop()).iterdir())) == 1
    assert not places


def test_a_folder_with_files_of_others_is_not_replaced(workspace: Workspace, ran: Ran, tmp_path: Path) -> None:
    _needs_tensorboard()
    made = Path(workspace.track(ran("questions"), tensorboard=tmp_path)["tensorboard"])
    (made / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="must hold event files alone"):
        workspace.track(ran("questions"), tensorboard=tmp_path)
    assert (made / "notes.txt").exists()


def test_nowhere_to_send_it_to_is_an_error(workspace: Workspace, ran: Ran) -> None:
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI set"):
        workspace.track(ran("questions"))


def test_a_run_that_trained_nothing_is_not_sent(workspace: Workspace, ran: Ran) -> None:
    with pytest.raises(InputError, match="must have trained or judged"):
        workspace.track(ran("questions", name="half", until="split"), mlflow="http://127.0.0.1:9")


@pytest.fixture
def mlflow_store(tmp_path: Path) -> Callable[[str], Any]:
    """``mlflow_store("sqlite" or "file")``: a URI and a client of it."""
    pytest.importorskip("mlflow", reason="needs the extra mlflow")

    def open_store(kind: str) -> tuple[str, Any]:
        from mlflow import MlflowClient

        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # of this test's own reader
        uri = f"sqlite:///{tmp_path}/mlflow.db" if kind == "sqlite" else (tmp_path / "mlruns").as_uri()
        return uri, MlflowClient(tracking_uri=uri)

    return open_store


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_mlflow_is_told_once(workspace: Workspace, ran: Ran, record: Record, mlflow_store: Any, kind: str) -> None:
    uri, client = mlflow_store(kind)
    first, second = (workspace.track(ran("questions"), mlflow=uri)["mlflow"] for _ in range(2))
    assert (first["sent"], second["sent"], second["run_id"]) == ("new", "was there", first["run_id"])
    experiment = client.get_experiment_by_name("modelmint").experiment_id
    (found,) = client.search_runs([experiment])
    assert found.data.tags["modelmint.run"] == ran("questions")
    assert found.data.params["train.learning_rate"] == "0.0002"
    assert found.data.metrics["test/accuracy"] == pytest.approx(record.figures["test/accuracy"])
    history = client.get_metric_history(first["run_id"], "train/loss")
    assert sorted((one.step, one.value) for one in history) == [
        (one.step, one.value) for one in record.series["train/loss"]
    ]
    assert [file.path for file in client.list_artifacts(first["run_id"], "pages")] == ["pages/training.html"]


@pytest.mark.slow
def test_a_sending_that_was_cut_off_is_made_anew(workspace: Workspace, ran: Ran, mlflow_store: Any) -> None:
    uri, client = mlflow_store("sqlite")
    told = workspace.track(ran("questions"), mlflow=uri)["mlflow"]
    client.delete_tag(told["run_id"], "modelmint.record")  # it is set last
    anew = workspace.track(ran("questions"), mlflow=uri)["mlflow"]
    assert anew["sent"] == "anew"
    experiment = client.get_experiment_by_name("modelmint").experiment_id
    assert [one.info.run_id for one in client.search_runs([experiment])] == [anew["run_id"]]


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_an_error_for_who_asks(workspace: Workspace, ran: Ran) -> None:
    pytest.importorskip("mlflow", reason="needs the extra mlflow")
    with pytest.raises(UnavailableError, match="must be a tracking server that answers") as caught:
        track(workspace.catalog, ran("questions"), mlflow="http://me:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_a_server_that_does_not_answer_fails_no_run(workspace: Workspace, home: Path, ran: Ran) -> None:
    settings = replace(workspace.settings, mlflow_tracking_uri="http://127.0.0.1:9")
    catalog = Catalog(settings)
    told = at_end(catalog, ran("questions"), "succeeded")
    catalog.close()
    assert told is not None
    assert told["sent"] == "not"
    shown = CliRunner().invoke(modelmint, ["--home", str(home), "show", ran("questions")]).stdout
    assert "MLflow was not told" in shown


@pytest.mark.slow
def test_a_run_tells_mlflow_when_it_ends(folder: Path, tmp_path: Path, mlflow_store: Any) -> None:
    uri, client = mlflow_store("sqlite")
    environ = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_NAME": "ours"}
    words = ["--home", str(tmp_path / "home"), "run", str(folder / "questions.yaml")]
    done = subprocess.run([sys.executable, "-m", "modelmint", *words], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"MLflow at {uri} told: experiment ours" in " ".join(done.stdout.split())
    (found,) = client.search_runs([client.get_experiment_by_name("ours").experiment_id])
    assert found.info.status == "FINISHED"
    assert math.isfinite(found.data.metrics["train/examples_per_s"])


def _needs_tensorboard() -> None:
    pytest.importorskip("tensorboardX", reason="needs the extra tensorboard")


def _read_events(workspace: Workspace, ran: Ran, folder: Path) -> Any:
    _needs_tensorboard()
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")
    events = reader.EventAccumulator(workspace.track(ran("questions"), tensorboard=folder)["tensorboard"])
    events.Reload()
    return events
