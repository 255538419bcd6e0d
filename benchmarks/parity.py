"""Planted faults that parity must refuse, each by a reason that names it, and good candidates that it must let through.

A classifier of the seven intents of SNIPS (a small transformer, so that all runs in minutes) is trained by `train`, and
again with half the steps (stale weights) and with another seed (another revision). Candidates are exported as `compress`
does, a fault is planted in one, and the stage `parity` replays real rows and odd texts through the real server, which
stays up: each candidate is deployed to an endpoint of its own. A clean candidate is judged fifty times: other rows,
seeds, forms and numbers of requests at a time.
"""

import gzip
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from measure import SHARED, aim, arguments, report
from parity_faults import Fault, faults
from stage_context import NUM_THREADS, stage_context

from modelmint.business.keys import create
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import deploy
from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.export import export_onnx
from modelmint.compression.quantize import quantize_int8
from modelmint.core.settings import Settings
from modelmint.core.stage import Endpoint
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.training.train import TrainInputs, TrainSpec, train

NUM_TRAIN, NUM_CLEAN, NUM_ROWS = 4_000, 50, 200
FORMS = ("onnx-fp32", "onnx-int8", "onnx-int8-mixed")
QUICK_FAULTS = ("tokenizer case flipped", "two labels swapped", "wrong scale in one layer", "attention mask ignored")
QUICK_CLEAN = 3
SEED = 17
SPEC: dict[str, Any] = {
    "architecture": {"name": "transformer", "num_layers": 2, "width": 128},
    "tokenizer": {"name": "wordpiece", "vocabulary_size": 4_000, "lowercase": True},
    "max_tokens": 64,
    "epochs": 10,
    "min_steps": 0,
    "batch_size": 32,
}


def main() -> int:
    options = arguments(__doc__ or "")
    if not (SHARED / "snips").exists():
        print(f"the data is not on this machine: {SHARED / 'snips'}")
        return 0
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder) / "server") as server:
        bench = _Bench(Path(folder), server, quick=options.quick)
        refused, named, told = bench.refuse()
        clean, num_clean = bench.let_through()
    figures = {
        "accuracy of the trained model": round(bench.accuracy, 4),
        "texts in one replay": f"{NUM_ROWS} rows and {ParitySpec().adversarial_rows} odd texts",
        "planted faults refused": f"{refused} of {len(told)}",
        "refused by a reason that names it": f"{named} of {len(told)}",
        "clean candidates passed": f"{clean} of {num_clean}",
        **{f"fault: {name}": reason for name, reason in told.items()},
    }
    aims = [
        aim("planted faults refused", refused, least=len(told)),
        aim("refused by a reason that names it", named, least=len(told)),
        aim("planted faults", len(told), least=10),
        aim("clean candidates passed", clean, least=NUM_CLEAN),
    ]
    return report("parity", figures, aims, options=options)


class _Server:
    """A real server on an empty home; each candidate is deployed to an endpoint of its own."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._catalog, self._settings, self._url = Catalog(settings), settings, url
        self._key = create(self._catalog, "parity", ("predict",), actor="parity").secret
        self._num_served = 0

    @contextmanager
    def serve(self, model: Model) -> Iterator[Endpoint]:
        self._num_served += 1
        name = f"candidate-{self._num_served}"
        work = self._settings.scratch / name
        desk = StagingDesk(
            folder=work / "staged",
            tenant=self._catalog.tenant,
            tenant_key=self._catalog.tenant_key,
            scratch=work / "desk",
        )
        copy = desk.model(model.name, model.files.folder(), facts=model.facts)
        self._catalog.publish(list(desk.drafts.values()), staged=desk.folder)
        deploy(self._catalog, endpoint=name, model=copy.id, variant=copy.id, price="0 USD", actor="parity")
        yield Endpoint(url=self._url, name=name, key=self._key)


@contextmanager
def _server(home: Path) -> Iterator[_Server]:
    settings = Settings.read({}, home=home)
    Catalog(settings).close()
    words = [sys.executable, "-m", "modelmint.api.server", "--home", str(home), "--port", "0"]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = server.stdout.readline() if server.stdout else ""
            yield _Server(settings, json.loads(line)["url"])
        finally:
            server.terminate()
            server.wait()


class _Bench:
    """The trained model, candidates of it by form, and rows to replay."""

    def __init__(self, folder: Path, server: _Server, *, quick: bool) -> None:
        self.folder, self.server, self.quick, self.accuracy = folder, server, quick, 0.0
        self.ctx = stage_context(folder / "bench", seed=SEED, num_threads=NUM_THREADS)
        self.rows = _rows("test")
        steps = 40 if quick else 120
        self.model = self._train(SEED, steps)
        trained, stale = self.model.files.folder(), self._train(SEED, steps // 2).files.folder()
        revision = self._train(SEED + 1, steps).files.folder()
        self.candidates = {form: self._candidate(trained, form) for form in FORMS}
        others = [
            self._candidate(other, "onnx-fp32", name) for other, name in ((stale, "stale"), (revision, "revision"))
        ]
        self.faults = [one for one in faults(*others) if not quick or one.name in QUICK_FAULTS]

    def refuse(self) -> tuple[int, int, dict[str, str]]:
        """How many faults were refused, how many were named, and what was said of each."""
        refused = named = 0
        told = {}
        for fault in self.faults:
            planted = Path(shutil.copytree(self.candidates[fault.form], self.folder / "planted" / fault.name))
            fault.plant(planted)
            reasons = self._judge(planted, fault.form, self.rows[:NUM_ROWS], seed=SEED, concurrency=4)
            reason = _naming(fault, reasons)
            refused, named = refused + bool(reasons), named + bool(reason)
            told[fault.name] = (reason or "NOT NAMED: " + (reasons[0] if reasons else "passed"))[:160]
            print(f"{fault.name}: {told[fault.name]}", file=sys.stderr, flush=True)
            shutil.rmtree(planted)
        return refused, named, told

    def let_through(self) -> tuple[int, int]:
        """How many clean candidates passed, of how many."""
        num_clean, passed = QUICK_CLEAN if self.quick else NUM_CLEAN, 0
        for at in range(num_clean):
            form, start = FORMS[at % len(FORMS)], (at * 61) % (len(self.rows) - NUM_ROWS)
            rows = self.rows[start : start + NUM_ROWS]
            reasons = self._judge(self.candidates[form], form, rows, seed=at, concurrency=1 + at % 8)
            passed += not reasons
            print(f"clean {at + 1}, {form}: {reasons or 'passed'}", file=sys.stderr, flush=True)
        return passed, num_clean

    def _judge(self, folder: Path, form: str, rows: Sequence[Any], *, seed: int, concurrency: int) -> list[str]:
        """The reasons to refuse."""
        began_s = time.monotonic()
        facts = {**self.model.facts, "engine": "onnx", "variant": form}
        variant = self.ctx.desk.model(form, folder, facts=facts)
        ctx = replace(self.ctx, seed=seed, serve=self.server.serve)
        inputs = ParityInputs(model=self.model, variant=variant, test=self._dataset(rows))
        found = parity(ParitySpec(num_rows=NUM_ROWS, concurrency=concurrency), inputs, ctx).parity.facts
        self.accuracy = found["accuracy_model"]
        print(
            f"  agreement {found['agreement']:.4f}, odd {found['adversarial']['agreement']:.4f}, drift "
            f"{found['drift']} and {found['adversarial']['drift']}, neighbours {found['neighbours']['max_drift']}, "
            f"{time.monotonic() - began_s:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        return list(found["refused"])

    def _train(self, seed: int, steps: int) -> Model:
        ctx = stage_context(self.folder / f"train-{seed}-{steps}", seed=seed, num_threads=NUM_THREADS)
        spec = TrainSpec.model_validate(SPEC | {"max_steps": steps})
        inputs = TrainInputs(
            train=self._dataset(_rows("train")[:NUM_TRAIN]), validation=self._dataset(_rows("dev")[:200])
        )
        return train(spec, inputs, ctx).model

    def _dataset(self, rows: Sequence[Any]) -> Dataset:
        return self.ctx.desk.dataset("snips", pa.Table.from_pylist(list(rows)), facts={"task": "text-classification"})

    def _candidate(self, trained: Path, form: str, name: str = "") -> Path:
        folder = self.folder / "candidates" / (name or form)
        folder.mkdir(parents=True)
        exported = folder / "model.onnx"
        export_onnx(trained, exported)
        if form != "onnx-fp32":
            quantize_int8(exported, folder / "small.onnx", spare_narrowing=form == "onnx-int8-mixed")
            (folder / "small.onnx").rename(exported)
        for file in ("tokenizer.json", "config.json"):
            shutil.copyfile(trained / file, folder / file)
        about = {key: self.model.facts[key] for key in ("task", "labels", "max_tokens", "base", "inputs", "answers")}
        about |= {"variant": form, "max_batch": 32 if form == "onnx-fp32" else 1}
        (folder / "modelmint.json").write_text(json.dumps(about), encoding="utf-8")
        return folder


def _naming(fault: Fault, reasons: Sequence[str]) -> str:
    return next((reason for reason in reasons if re.search(fault.named, reason)), "")


def _rows(part: str) -> list[dict[str, Any]]:
    with gzip.open(SHARED / "snips" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [
        {"_row": f"{part}-{at}", "text": " ".join(one["tokens"]).capitalize(), "label": one["intent"]}
        for at, one in enumerate(found)
    ]


if __name__ == "__main__":
    sys.exit(main())
