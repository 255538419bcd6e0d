"""What a pupil that writes begins as: the trained model with a part cut out, or a small one from nothing. Imports PyTorch."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from modelmint.compression.bodies.author import Author
from modelmint.compression.bodies.importance import neuron_importance
from modelmint.compression.bodies.layers import check_count, keep_layers, spaced
from modelmint.compression.bodies.neurons import keep_neurons, num_kept, pairs_of
from modelmint.compression.bodies.starts import IMPORTANCE_ROWS, Start
from modelmint.compression.bodies.step import Step
from modelmint.core.errors import InputError
from modelmint.training.beginnings import Beginning
from modelmint.training.causal import load_causal, save_causal, save_tokenizer
from modelmint.training.knobs import Knobs
from modelmint.training.learner import Setting
from modelmint.training.scratch.families import register
from modelmint.training.scratch.new_base import new_causal
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks.causal_learner import laid_out
from modelmint.training.tasks.chat_rows import TaughtRow

FROM_NOTHING = "transformer"
"""What no engine that writes runs is not offered."""


def start_writer(step: Step, author: Author, rows: Callable[[], Sequence[TaughtRow]]) -> Start:
    """Make it in the scratch folder.

    Args:
        rows: by which it is found what matters; writing them may take hours, so they are asked for last.

    Raises:
        InputError: the model's family does not allow it, or a model that writes has no such body.
    """
    output = step.ctx.scratch / "bodies" / f"{step.name}.start"
    shutil.rmtree(output, ignore_errors=True)
    if step.kind == "base":
        return _from_nothing(step, author, output)
    if step.kind not in ("layers", "neurons"):
        raise InputError(
            f"try: a smaller model that writes is one of layers-N, neurons-P and base-{FROM_NOTHING}; got {step.step}",
            parameter="try",
            remedy="`layers-3` keeps three layers.",
        )
    config = json.loads((step.folder / "config.json").read_text(encoding="utf-8"))
    if "lstm" in str(config.get("model_type")):
        raise InputError(
            f"try: {step.kind} can be taken out of a Transformer; the trained model is an LSTM",
            parameter="try",
            remedy="`base-transformer` is a small one that learns from it.",
        )
    if step.kind == "layers":
        num_layers, wanted = int(load_causal(step.folder).config.num_hidden_layers), int(step.amount)
        check_count(wanted, num_layers)
        kept = spaced(wanted, num_layers)
        keep_layers(step.folder, kept, output)
        return Start(folder=output, told={"layers": {"before": num_layers, "after": wanted, "kept": kept}})
    return _fewer_neurons(step, author, rows, output)


def _fewer_neurons(step: Step, author: Author, rows: Callable[[], Sequence[TaughtRow]], output: Path) -> Start:
    model = load_causal(step.folder)
    encoder = model.base_model
    pairs, width_name = pairs_of(encoder)
    width = int(getattr(encoder.config, width_name))
    kept = num_kept(int(step.amount), width)
    batches = [laid_out([row], author.pad_id, torch.device("cpu")) for row in rows()[:IMPORTANCE_ROWS]]
    step.ctx.say(0, 0, f"{step.name}: which neurons matter")
    downs = [encoder.get_submodule(pair.down) for pair in pairs]
    model.train(False)
    found = neuron_importance(
        (laid.losses(model(**laid.inputs, use_cache=False).logits).sum() for laid in batches), downs, step.ctx.check
    )
    keep_neurons(step.folder, found, kept, output)
    return Start(folder=output, told={"neurons": {"before": width, "after": kept}})


def _from_nothing(step: Step, author: Author, output: Path) -> Start:
    """A small model with the tokens and the template of the trained one, so that each can be taught token by token."""
    if step.amount != FROM_NOTHING:
        raise InputError(
            f"try: base-NAME must be base-{FROM_NOTHING} for a model that writes; got base-{step.amount}",
            parameter="try",
            remedy="Or take layers out: `layers-3`.",
        )
    register()
    spec = TrainSpec.model_validate({"base": "none", "architecture": {"name": step.amount}})
    setting = Setting(
        spec=spec,
        knobs=Knobs(max_tokens=author.max_tokens),
        options=None,
        beginning=Beginning.of(spec, None),
        seed=step.ctx.seed,
    )
    config = author.model.encoder.config
    with torch.random.fork_rng():
        torch.manual_seed(step.ctx.seed)
        model = new_causal(setting, int(config.vocab_size))
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        setattr(model.config, name, getattr(config, name, None))
    output.mkdir(parents=True)
    save_causal(model, output, stop_ids=author.tokens.stop_ids, pad_id=author.pad_id)
    save_tokenizer(step.folder, output, author.tokens.tokenizer, chat_template=author.tokens.template.source)
    return Start(folder=output)
