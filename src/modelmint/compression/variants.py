"""The variants that can be made, each as a folder that the serving engine opens: of models that label, and that write.

A variant is ``[BODY/]FORM``: the body is what is computed (the model as trained, or a smaller one that learned from it:
`compression.bodies`), the form is how (`FORMS`).
"""

import difflib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelmint.compression.bodies import BodyInputs, BodyOptions, check_name, facts_of, make_body
from modelmint.compression.genai import build
from modelmint.core.errors import DataError, InputError
from modelmint.core.inputs import SERVED, WRITTEN
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model
from modelmint.serving.engines import MODEL_FILES
from modelmint.serving.writers import ENGINE as WRITES

COPIED = (
    "tokenizer.json",
    "config.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "items.json",
    "recommender.json",
)
"""Where the trained folder has them."""
LEAST_CALIBRATION = 16
"""From fewer rows the ranges of a layer's inputs are luck."""
_SAID = ("task", "labels", "max_tokens", "base", "inputs", "answers", "stop_ids", "pad_id")


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a body is executed."""

    about: str
    file: str
    """Which ONNX file it runs: `fp32`, `fp16`, `int8` or `int8-static`, each of the two also `-mixed`; of a model that
    writes the precision of its weights (`genai.PRECISIONS`); of a table the file that training wrote."""
    engine: str = "onnx"
    settings: Mapping[str, str] = field(default_factory=dict)
    """What OpenVINO is told."""
    max_batch: int = 32
    """Texts in one forward pass: with dynamic int8 a text's answer would depend on its neighbours."""


_F32, _BF16 = {"INFERENCE_PRECISION_HINT": "f32"}, {"INFERENCE_PRECISION_HINT": "bf16"}
FORMS: dict[str, Form] = {
    "onnx-fp32": Form(file="fp32", about="the model as trained"),
    "onnx-fp16": Form(file="fp16", about="weights stored in 16 bits and computed in 32: half the file, as fast"),
    "onnx-int8": Form(file="int8", max_batch=1, about="8 bits, scaled at each call: a quarter of the file, and faster"),
    "onnx-int8-mixed": Form(
        file="int8-mixed",
        max_batch=1,
        about="the same without the layers that 8 bits hurt most: a third of the file, and nearer to the model",
    ),
    "onnx-int8-static": Form(
        file="int8-static",
        about="8 bits, scaled by what training rows gave (`calibration_rows`): texts share a batch again",
    ),
    "onnx-int8-static-mixed": Form(
        file="int8-static-mixed", about="the same without the layers that 8 bits hurt most: a third of the file"
    ),
    "openvino-fp32": Form(file="fp32", engine="openvino", settings=_F32, about="OpenVINO (the extra `openvino`)"),
    "openvino-bf16": Form(
        file="fp16",
        engine="openvino",
        settings=_BF16,
        about="OpenVINO in bfloat16, on processors that have it: half the file",
    ),
    "openvino-int8": Form(
        file="int8-static", engine="openvino", settings=_F32, about="OpenVINO with the file of `onnx-int8-static`"
    ),
    "genai-fp32": Form(file="fp32", engine=WRITES, about="models that write: the model as trained"),
    "genai-int8": Form(
        file="int8", engine=WRITES, about="models that write: weights in 8 bits, a scale for every 32 of them"
    ),
    "genai-int4-mixed": Form(
        file="int4-mixed",
        engine=WRITES,
        about="models that write: weights in 4 bits but for the layers that 4 bits hurt most, which have 8",
    ),
    "genai-int4": Form(file="int4", engine=WRITES, about="models that write: weights in 4 bits"),
    "lightgbm-fp64": Form(
        file=MODEL_FILES["lightgbm"], engine="lightgbm", max_batch=256, about="tables, by boosted trees: as trained"
    ),
    "numpy-fp64": Form(
        file=MODEL_FILES["numpy"], engine="numpy", max_batch=256, about="tables, by a linear model: as trained"
    ),
}
DEFAULT_FORMS = ("onnx-fp32", "onnx-int8", "onnx-int8-mixed", "onnx-int8-static")
DEFAULT_WRITTEN_FORMS = ("genai-fp32", "genai-int8", "genai-int4-mixed", "genai-int4")
NETWORK_FORMS = ("onnx-fp32", "onnx-int8")
"""Of a table; the first is the default, since 8 bits make so small a file slower. Static int8 has nothing to do in it."""
OWN_FILES = {"lightgbm": "lightgbm", "linear": "numpy"}
"""How a table's model was made -> the engine that reads its file as it is. No network: it has no other form, no body."""


def default_forms(model: Model) -> tuple[str, ...]:
    """What is tried where the recipe does not say."""
    task, made_by = model.facts.get("task"), model.facts.get("engine")
    if task in WRITTEN:
        return DEFAULT_WRITTEN_FORMS
    if made_by in OWN_FILES:
        return tuple(name for name, form in FORMS.items() if form.engine == OWN_FILES[made_by])
    return NETWORK_FORMS[:1] if made_by == "network" else DEFAULT_FORMS


def fitting(names: Sequence[str], model: Model, task: str) -> Sequence[str]:
    """The names, which must be those of forms for the model.

    Raises:
        InputError: one is not.
    """
    own = OWN_FILES.get(str(model.facts.get("engine")))
    engines = {WRITES} if task in WRITTEN else {own} if own else {"onnx", "openvino"}
    by = f" by {model.facts.get('engine')}" if task.startswith("tabular-") else ""
    fit = {name for name, form in FORMS.items() if form.engine in engines}
    if model.facts.get("engine") == "network":
        fit = set(NETWORK_FORMS)
    for name in names:
        if task.startswith("tabular-") and "/" in name:
            raise InputError(
                f"try: a model of a table has no smaller bodies; got {name!r}",
                parameter="try",
                remedy=f"Leave the body out: {name.rpartition('/')[2]}.",
            )
        if name.rpartition("/")[2] not in fit:
            raise InputError(
                f"try: a model for {task}{by} has the forms {', '.join(one for one in FORMS if one in fit)}; got {name!r}",
                parameter="try",
                remedy="Leave try out: what fits the model is tried.",
            )
    return names


def split_name(name: str) -> tuple[str | None, str]:
    """The body, None for the model as trained, and the form.

    Raises:
        InputError: there is no such form or body.
    """
    body, _, form = name.rpartition("/")
    if form not in FORMS:
        close = difflib.get_close_matches(form, FORMS, n=1)
        raise InputError(
            f"try: a variant is FORM or BODY/FORM with a form of {', '.join(FORMS)}; got {name!r}",
            parameter="try",
            remedy=f"Did you mean {f'{body}/' if body else ''}{close[0]}?" if close else None,
        )
    if "/" not in name:
        return None, form
    return check_name(body), form


@dataclass(frozen=True, kw_only=True)
class Given:
    """What variants are made with, beside the model."""

    validation: Dataset | None = None
    train: Dataset | None = None
    unlabelled: Dataset | None = None
    body: BodyOptions = field(default_factory=BodyOptions)
    calibration_rows: int = 200


class Workshop:
    """Makes the variants of one model: each body once, each export and each file once. Not thread-safe."""

    def __init__(self, model: Model, ctx: StageContext, given: Given | None = None) -> None:
        self._model, self._ctx, self._given = model, ctx, given or Given()
        self._files: dict[tuple[str | None, str], Path] = {}
        self._broken: dict[tuple[str | None, str], BaseException] = {}

    def make(self, name: str) -> Path:
        """A folder with model.onnx (genai_config.json beside it where it writes; a table's file as it was trained),
        tokenizer.json, config.json and modelmint.json; equal models give equal files.

        Raises:
            InputError: there is no such variant, or the body does not fit the model.
            DataError: there are too few training rows to calibrate with.

        What the exporters and quantizers raise passes through.
        """
        body, kind = split_name(name)
        form, source = FORMS[kind], self._source(body)
        folder = self._ctx.scratch / "variants" / name.replace("/", "--")
        folder.mkdir(parents=True)
        self._ctx.say(0, 0, f"making {name}")
        if form.engine == WRITES:
            shutil.copytree(self._file(body, f"{WRITES}-{form.file}"), folder, dirs_exist_ok=True)
        elif form.engine in OWN_FILES.values():
            shutil.copyfile(source / form.file, folder / form.file)
        else:
            shutil.copyfile(self._file(body, form.file), folder / "model.onnx")
        about = self._about(body, source) | {
            "variant": name,
            "engine": form.engine,
            **({} if form.engine == WRITES else {"max_batch": form.max_batch}),
            **({"settings": dict(form.settings)} if form.settings else {}),
        }
        _lay(source, folder, about)
        return folder

    def facts(self, name: str) -> JSON:
        """Body and form, and what was done to make the body."""
        body, form = split_name(name)
        return {"body": body, "form": form, "made": facts_of(self._source(body)) if body else None}

    def lay_down(self, name: str, folder: Path) -> Model:
        """The variant as an artifact."""
        from modelmint.training.tasks import read_about

        body, kind = split_name(name)
        source = self._source(body)
        about = self._about(body, source)
        facts = {
            **about,
            "languages": self._model.facts["languages"],
            "engine": FORMS[kind].engine,
            "variant": name,
            "body": body,
            "form": kind,
        }
        licences = set(self._model.manifest.get("licences", ()))
        if body is not None and (licence := read_about(source).get("licence")):  # of another base
            licences.add(str(licence))
        return self._ctx.desk.model(name, folder, facts=facts, licences=sorted(licences))

    def _source(self, body: str | None) -> Path:
        """The trained model's folder, or that of a body of it."""
        trained, given = self._model.files.folder(), self._given
        if body is None:
            return trained
        if given.train is None or given.validation is None:
            raise InputError(
                f"{body}: needs training rows to learn from; this stage was given none",
                parameter="train",
                remedy="Put split before compress, or name them: from: {train: STAGE.train}.",
            )
        inputs = BodyInputs(
            folder=trained,
            train=given.train,
            validation=given.validation,
            unlabelled=given.unlabelled,
            options=given.body,
        )
        return self._once((body, "body"), lambda: make_body(body, inputs, self._ctx))

    def _file(self, body: str | None, kind: str) -> Path:
        return self._once((body, kind), lambda: self._made(body, kind))

    def _made(self, body: str | None, kind: str) -> Path:
        from modelmint.compression import quantize
        from modelmint.compression.export import export_onnx

        folder = self._ctx.scratch / "files" / (body or "trained")
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / f"{kind}.onnx"
        self._ctx.check()
        if kind.startswith(f"{WRITES}-"):
            precision = kind.removeprefix(f"{WRITES}-")
            return build(self._source(body), output.with_suffix(""), precision, scratch=self._ctx.scratch)
        if kind == "fp32":
            self._ctx.say(0, 0, f"exporting {body or 'the model'} to ONNX")
            export_onnx(self._source(body), output)
            return output
        exported = self._file(body, "fp32")
        if kind == "fp16":
            quantize.halve(exported, output)
        elif kind.startswith("int8-static"):
            feeds = self._feeds(body, exported)
            quantize.quantize_static(exported, output, feeds, spare_narrowing=kind.endswith("mixed"))
        else:
            quantize.quantize_int8(exported, output, spare_narrowing=kind == "int8-mixed")
        return output

    def _feeds(self, body: str | None, exported: Path) -> list[Mapping[str, Any]]:
        """A bounded, seeded sample of the training rows as an engine feeds them, a forward pass each."""
        from modelmint.compression.compared import task_of
        from modelmint.evaluation.rows import Rows
        from modelmint.evaluation.search_rows import SEARCHES, SearchRows
        from modelmint.serving.engines import OnnxEngine

        given, task = self._given, task_of(self._model)
        num_rows = given.train.num_rows if given.train is not None else 0
        if given.train is None or num_rows < LEAST_CALIBRATION:
            raise DataError(
                f"train: static int8 is calibrated on at least {LEAST_CALIBRATION} training rows; got {num_rows}",
                parameter="train",
                remedy="Give more training rows, or try onnx-int8, which needs none.",
            )
        limit, seed = given.calibration_rows, self._ctx.seed
        inputs = (
            SearchRows.read(given.train, self._model, "train", limit=limit, seed=seed).inputs
            if task in SEARCHES
            else Rows.read(given.train, task, "train", limit=limit, seed=seed, model=self._model).inputs
        )
        folder = exported.with_name("calibrated")
        folder.mkdir(exist_ok=True)
        shutil.copyfile(exported, folder / "model.onnx")
        source = self._source(body)
        _lay(source, folder, self._about(body, source))
        engine = OnnxEngine(folder, self._ctx.num_threads)
        return [feeds for encoding in engine.encode(inputs) for feeds in engine.feeds(encoding)]

    def _about(self, body: str | None, source: Path) -> JSON:
        """What is said of the model; a body's own length and thresholds in the place of the trained model's."""
        from modelmint.compression.compared import task_of
        from modelmint.training.tasks import read_about

        facts = dict(self._model.facts)
        if body is not None:
            facts |= {key: value for key, value in read_about(source).items() if key in ("max_tokens", "answers")}
        task = task_of(self._model)
        says = SERVED[task].says if task in SERVED else ()
        return {key: facts[key] for key in (*_SAID, *says) if key in facts}

    def _once(self, key: tuple[str | None, str], make: Any) -> Path:
        """What was made before, or the error that it gave before."""
        if key in self._broken:
            raise self._broken[key]
        if key not in self._files:
            try:
                self._files[key] = make()
            except failures() as error:
                self._broken[key] = error
                raise
        return self._files[key]


def failures() -> tuple[type[BaseException], ...]:
    """What bodies, exporters, quantizers and engines raise when a model is not for them.

    ONNX and ONNX Runtime have errors of their own that come from no common one.
    """
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    from modelmint.core.errors import ModelmintError

    names = (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NotImplemented",
        "RuntimeException",
        "EPFail",
    )
    theirs = [getattr(state, name) for name in names]
    return (ModelmintError, RuntimeError, ValueError, TypeError, ImportError, ValidationError, InferenceError, *theirs)


def told(error: BaseException, *, most: int = 300) -> str:
    """Why a variant failed, in a line."""
    words = " ".join(str(getattr(error, "message", "") or error).split())
    kind = "" if hasattr(error, "remedy") else f"{type(error).__name__}: "
    return f"{kind}{words[:most]}{'…' if len(words) > most else ''}" or type(error).__name__


def _lay(source: Path, folder: Path, about: JSON) -> None:
    for file in COPIED:
        if (source / file).is_file():
            shutil.copyfile(source / file, folder / file)
    (folder / "modelmint.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")


__all__ = ["COPIED", "FORMS", "Form", "Given", "Workshop", "default_forms", "failures", "fitting", "split_name", "told"]
