"""Makes one step of a body, and tells what was done."""

import json
import shutil
from pathlib import Path

from modelmint.compression.bodies import BodyInputs, facts_path
from modelmint.compression.bodies.step import Step, texts_of
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.training.tasks.table import TASKS, read_about


def make(step: str, name: str, folder: Path, given: BodyInputs, ctx: StageContext, output: Path) -> None:
    """Make the body of one step from `folder`, with its facts beside it.

    Args:
        name: that of all steps until this one.
    """
    if (folder / "tuning").is_dir():
        raise InputError(
            "try: a body can be made of a model whose tuning is in its weights; this one keeps it beside them",
            parameter="try",
            remedy="Train with another method, such as full or lora, or leave the body out.",
        )
    work = Step(step=step, name=name, folder=folder, given=given, ctx=ctx, about=read_about(folder))
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    told = _trimmed(work, output) if work.kind == "vocabulary" else _taught(work, output)
    facts = json.dumps(_facts(work, output, told), indent=2, ensure_ascii=False)
    facts_path(output).write_text(facts, encoding="utf-8")  # last: it says that the folder is whole


def _writes(work: Step) -> bool:
    """Whether it is of a model that writes.

    Raises:
        InputError: it writes, but not what can be taught here.
    """
    task = str(work.about["task"])
    if TASKS[task].served == "generation" and task != "chat":
        raise InputError(
            f"try: of models that write a smaller body can be made for chat; got one for {task}",
            parameter="try",
            remedy="Leave bodies out of compress.try for this model.",
        )
    return task == "chat"


def _trimmed(work: Step, output: Path) -> JSON:
    from modelmint.compression.bodies.vocabulary import trim_vocabulary

    if _writes(work):
        raise InputError(
            "try: vocabulary is for models that read; one that writes may need every token for its answers",
            parameter="try",
            remedy="Leave `vocabulary` out of compress.try for this model.",
        )

    told = trim_vocabulary(work.folder, work.all_contents(), output, at_least=int(work.amount or 0))
    return {**told, "teacher_layers": work.before().get("teacher_layers")}


def _taught(work: Step, output: Path) -> JSON:
    if _writes(work):
        from modelmint.compression.bodies.write_teaching import teach_writer

        return {**teach_writer(work, output), "teacher_layers": None}
    from modelmint.compression.bodies.starts import start
    from modelmint.compression.bodies.teaching import teach

    if not work.inputs:
        raise InputError(
            f"try: {work.kind} can be made of a model with one layer over the mean state of a text; got one for "
            f"{work.about['task']}",
            parameter="try",
            remedy="Of this model only `vocabulary` can be made.",
        )
    train = work.train_texts()
    begun = start(work, train)
    return {**teach(work, begun, train, output), "teacher_layers": list(begun.layers)}


def _facts(work: Step, output: Path, told: JSON) -> JSON:
    from modelmint.compression.bodies.folders import num_parameters, size_bytes

    whole, layers = work.given.folder, told.pop("teacher_layers")
    return {
        "body": work.name,
        "parameters": {"before": num_parameters(whole), "after": num_parameters(output)},
        "size_bytes": {"before": size_bytes(whole), "after": size_bytes(output)},
        "teacher_layers": layers,
        "validation": _validated(work, output),
        "steps": [*work.before().get("steps", []), {"step": work.step, **told}],
    }


def _validated(work: Step, output: Path) -> JSON:
    """The body beside the trained model on the validation rows; nothing for kinds of models that are not compared."""
    if _writes(work):
        from modelmint.compression.bodies.write_teaching import compared

        return compared(work, output)
    from modelmint.compression.bodies.pupil import agreement
    from modelmint.compression.bodies.teacher import Teacher

    if not work.inputs or not work.given.validation.num_rows:
        return {}
    texts, ctx = texts_of(work.given.validation, work.inputs, "validation"), work.ctx
    taught, said = (
        Teacher(one).answer(texts, [0], say=ctx.say, check=ctx.check).logits_nl for one in (work.given.folder, output)
    )
    return {"num_rows": len(texts[0]), "agreement": round(agreement(said, taught, work.about), 6)}
