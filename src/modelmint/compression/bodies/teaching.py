"""A start to a body: the trained model is asked of every row once, then the loop trains on what it said. Imports PyTorch."""

from dataclasses import replace
from pathlib import Path

import torch

from modelmint.compression.bodies.pupil import Lesson, Pupil
from modelmint.compression.bodies.starts import Start
from modelmint.compression.bodies.step import Step, texts_of
from modelmint.compression.bodies.teacher import Taught, Teacher
from modelmint.core.hashing import digest, file_digest
from modelmint.core.types import JSON
from modelmint.training.beginnings import Beginning
from modelmint.training.knobs import Knobs
from modelmint.training.learner import Setting
from modelmint.training.loop import fit
from modelmint.training.run import Job
from modelmint.training.spec import TrainSpec
from modelmint.training.train import num_epochs

KNOBS: dict[str, Knobs] = {
    "layers": Knobs(epochs=6, learning_rate=2e-4, head_learning_rate=2e-4, head_dropout=0.0),
    "neurons": Knobs(epochs=4, learning_rate=1e-4, head_learning_rate=1e-4, head_dropout=0.0),
    "static": Knobs(epochs=5, learning_rate=5e-3, head_learning_rate=5e-3, batch_size=64, head_dropout=0.2),
    "base": Knobs(epochs=15, learning_rate=1e-3, head_learning_rate=1e-3, encoder_dropout=0.1),
}
"""How each kind is trained, where the options do not say; found on Banking77 (docs/log.md)."""


def teach(step: Step, begun: Start, train: list[list[str]], output: Path) -> JSON:
    """Write the trained body, and tell what it took."""
    ctx, threads = step.ctx, torch.get_num_threads()
    torch.set_num_threads(ctx.num_threads)
    try:
        checkpoints = ctx.checkpoints / "bodies" / step.name
        job = _job(step, begun, _lesson(step, begun, train, checkpoints))

        def say(done: int, total: int, message: str) -> None:
            ctx.say(done, total, f"{step.name}: {message}")

        fitted = fit(job, checkpoints=checkpoints, say=say, check=ctx.check)
        output.mkdir()
        job.learner.save(fitted.model, output)
    finally:
        torch.set_num_threads(threads)
    return {
        **begun.told,
        "num_rows": len(train[0]),
        "steps": fitted.place.step,
        "best_epoch": fitted.place.best_epoch,
        "history": fitted.place.history,
        "hyperparameters": {**step.given.options.model_dump(mode="json"), **job.knobs.to_json()},
    }


def _lesson(step: Step, begun: Start, train: list[list[str]], kept: Path) -> Lesson:
    teacher = Teacher(step.given.folder)
    config = teacher.model.encoder.config
    names, last = config.id2label, int(config.num_hidden_layers) - 1
    asked = list(begun.layers) or [last]
    taught = _asked(step, teacher, train, asked, kept / "taught.safetensors")
    validation = texts_of(step.given.validation, step.inputs, "validation")
    return Lesson(
        train=train,
        validation=validation,
        taught=taught,
        taught_validation=_asked(step, teacher, validation, [last], kept / "taught-validation.safetensors"),
        by=teacher.by,
        about={**step.about, **begun.about},
        outputs=[str(names[at]) for at in range(len(names))],
        problem=config.problem_type,
        layers=list(range(len(begun.layers)))[-taught.states_ncd.shape[1] :],
        inherits=bool(begun.layers),
        options=step.given.options,
    )


def _asked(step: Step, teacher: Teacher, texts: list[list[str]], layers: list[int], kept: Path) -> Taught:
    """What the teacher says of rows; kept as long as the checkpoints, so that a run that goes on need not ask again."""
    if kept.exists():
        return Taught.read(kept)
    taught = teacher.answer(texts, layers, say=step.ctx.say, check=step.ctx.check)
    taught.save(kept)
    return taught


def _job(step: Step, begun: Start, lesson: Lesson) -> Job:
    options, about = step.given.options, lesson.about
    knobs = replace(KNOBS[step.kind], max_tokens=int(about["max_tokens"]), patience=0)
    if options.epochs is not None:
        knobs = replace(knobs, epochs=options.epochs, min_steps=0)
    if options.learning_rate is not None:
        knobs = replace(knobs, learning_rate=options.learning_rate, head_learning_rate=options.learning_rate)
    pupil = Pupil(setting_of(step, begun, about, knobs), lesson)
    epochs = num_epochs(knobs, len(pupil.batches(0)))
    return Job(learner=pupil, task=f"a body for {about['task']}", rows=step.digests(), epochs=epochs)


def setting_of(step: Step, begun: Start, about: JSON, knobs: Knobs) -> Setting:
    """What a pupil begins with; another body, option, teacher or start is another training."""
    given = step.given
    what = [step.name, given.options.model_dump(mode="json"), *digests_of(given.folder), *digests_of(begun.folder)]
    beginning = Beginning(
        folder=begun.folder,
        digest=digest(what),
        base=str(about["base"]),
        licence=str(about.get("licence", "")),
        languages=list(about.get("languages", ())),
        max_tokens=int(about["max_tokens"]),
        about=about,
    )
    return Setting(spec=TrainSpec(base="none"), knobs=knobs, options=None, beginning=beginning, seed=step.ctx.seed)


def digests_of(folder: Path) -> list[str]:
    names = ("config.json", "tokenizer.json", "model.safetensors")
    return [file_digest(folder / name) for name in names if (folder / name).is_file()]
