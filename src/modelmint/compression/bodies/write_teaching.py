"""A model that writes teaches a smaller one: it answers every prompt once, then the loop trains on what it wrote.

Imports PyTorch. Source: Kim and Rush, Sequence-Level Knowledge Distillation (2016).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from modelmint.compression.bodies.author import Author, Written
from modelmint.compression.bodies.prompts import Chat, chats_of, prompts_of
from modelmint.compression.bodies.pupil_writer import PupilWriter, WritingLesson
from modelmint.compression.bodies.starts import Start
from modelmint.compression.bodies.step import Step
from modelmint.compression.bodies.teaching import digests_of, setting_of
from modelmint.compression.bodies.writer_starts import start_writer
from modelmint.core.errors import DataError
from modelmint.core.hashing import digest
from modelmint.core.types import JSON
from modelmint.training.knobs import Knobs
from modelmint.training.loop import fit
from modelmint.training.run import Job
from modelmint.training.tasks.causal_learner import laid_out, scored_batches
from modelmint.training.tasks.chat import score_answers
from modelmint.training.tasks.chat_rows import TaughtRow
from modelmint.training.train import num_epochs

_ALL = Knobs(batch_size=16, min_steps=0, label_smoothing=0.0, schedule="cosine", patience=0, weight_decay=0.0)
KNOBS: dict[str, Knobs] = {
    "layers": replace(_ALL, epochs=3, learning_rate=3e-4),
    "neurons": replace(_ALL, epochs=2, learning_rate=2e-4),
    "base": replace(_ALL, epochs=10, learning_rate=2e-3, weight_decay=0.1),
}
"""How each kind is trained, where the options do not say."""
MAX_COMPARED = 1_000


def teach_writer(step: Step, output: Path) -> JSON:
    """Write the trained body, and tell what it took.

    Raises:
        DataError: there is nothing that it could learn.
    """
    ctx, threads = step.ctx, torch.get_num_threads()
    torch.set_num_threads(ctx.num_threads)
    try:
        author, checkpoints = Author(step.given.folder), ctx.checkpoints / "bodies"
        learned = cache(lambda: _learned(step, author, checkpoints))
        begun = start_writer(step, author, lambda: learned().rows)
        lesson = WritingLesson(
            train=learned().rows,
            validation=author.given(chats_of(step.given.validation, "validation")),
            teacher=author.model,
            about={**step.about, **begun.about},
            temperature=step.given.options.temperature,
        )
        job = _job(step, begun, lesson)

        def say(done: int, total: int, message: str) -> None:
            ctx.say(done, total, f"{step.name}: {message}")

        fitted = fit(job, checkpoints=checkpoints / step.name, say=say, check=ctx.check)
        output.mkdir()
        job.learner.save(fitted.model, output)
    finally:
        torch.set_num_threads(threads)
    return {
        **begun.told,
        "num_rows": len(learned().rows),
        "answers": dict(learned().counts),
        "steps": fitted.place.step,
        "best_epoch": fitted.place.best_epoch,
        "history": fitted.place.history,
        "hyperparameters": {**step.given.options.model_dump(mode="json"), **job.knobs.to_json()},
    }


def compared(step: Step, output: Path) -> JSON:
    """The body beside the trained model on the answers that the validation rows give.

    ``answer_loss`` and ``perplexity`` of both, and ``agreement``: of how many tokens of them both hold the same for the
    likeliest.
    """
    chats = chats_of(step.given.validation, "validation")
    trained, body = Author(step.given.folder), Author(output)
    rows = trained.given(chats)[:MAX_COMPARED]
    if not rows:
        return {}
    scores = [score_answers(one.model, rows, trained.pad_id) for one in (trained, body)]
    losses = dict(zip(("before", "after"), (score.value for score in scores), strict=True))
    return {
        "num_rows": len(rows),
        "answer_loss": {name: round(loss, 6) for name, loss in losses.items()},
        "perplexity": {name: round(math.exp(min(loss, 50.0)), 4) for name, loss in losses.items()},
        "agreement": round(_agreement(trained, body, rows), 6),
    }


def _agreement(one: Author, other: Author, rows: Sequence[TaughtRow]) -> float:
    num_same = num_tokens = 0
    with torch.no_grad():
        for places in scored_batches([len(row.ids) for row in rows]):
            laid = laid_out([rows[at] for at in places], one.pad_id, next(one.model.parameters()).device)
            best, others = (author.model(**laid.inputs)[:, :-1].argmax(dim=2) for author in (one, other))
            num_same += int((best == others)[laid.taught_bt].sum())
            num_tokens += int(laid.taught_bt.sum())
    return num_same / num_tokens


def _learned(step: Step, author: Author, checkpoints: Path) -> Written:
    """The answers that the rows give, and those that the trained model writes."""
    chats = [chat for dataset, role in step.rows() for chat in chats_of(dataset, role)]
    given, wrote = author.given(chats), _written(step, author, chats, checkpoints)
    if not given and not wrote.rows:
        raise _nothing(wrote)
    counts = {"given": len(given), "written": len(wrote.rows), **wrote.counts}
    return Written(rows=[*given, *wrote.rows], counts=counts)


def _written(step: Step, author: Author, chats: Sequence[Chat], checkpoints: Path) -> Written:
    """Every body of a model learns from the same answers, so that they are written once."""
    max_new_tokens = step.given.options.max_new_tokens
    name = digest([*digests_of(step.given.folder), *step.digests(), max_new_tokens])[:16]
    return author.written(
        prompts_of(chats, last_only=author.loss_on == "last-answer"),
        checkpoints / "written" / f"{name}.jsonl",
        max_new_tokens=max_new_tokens,
        say=step.ctx.say,
        check=step.ctx.check,
    )


def _job(step: Step, begun: Start, lesson: WritingLesson) -> Job:
    options, about = step.given.options, lesson.about
    knobs = replace(KNOBS[step.kind], max_tokens=int(about["max_tokens"]))
    if options.epochs is not None:
        knobs = replace(knobs, epochs=options.epochs)
    if options.learning_rate is not None:
        knobs = replace(knobs, learning_rate=options.learning_rate)
    pupil = PupilWriter(setting_of(step, begun, about, knobs), lesson)
    epochs = num_epochs(knobs, len(pupil.batches(0)))
    return Job(learner=pupil, task=f"a body for {about['task']}", rows=step.digests(), epochs=epochs)


def _nothing(wrote: Written) -> DataError:
    return DataError(
        f"train: must hold chats with answers, or prompts that the trained model answers; of {wrote.counts['prompts']} "
        f"answers {wrote.counts['cut']} came to no end, {wrote.counts['empty']} were empty, and the template refused "
        f"{wrote.counts['refused']} prompts",
        parameter="train",
        remedy="Raise compress.bodies.max_new_tokens, or train the model longer before it is made smaller.",
    )
