"""Parity of a model that writes, chats or texts: every token that the endpoint says is held against the trained model.

The endpoint answers greedily. The trained model is then led through those very answers, so that one other token does not
make all that follow differ: at each place it must hold the same token for the likeliest, and as likely.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modelmint.core import tables
from modelmint.core.chat_rows import columns_of_chats, messages_of
from modelmint.core.clock import monotonic_s
from modelmint.core.continuing import Part, parts
from modelmint.core.errors import DataError, InputError
from modelmint.core.inputs import CHATS
from modelmint.core.stage import MAX_TEXT_CHARACTERS, StageContext
from modelmint.core.types import JSON, Report
from modelmint.evaluation.proof.adversarial import adversarial
from modelmint.evaluation.proof.chat_facts import (
    MAX_CHATS,
    NUM_NEIGHBOURS,
    Asked,
    ChatsCompared,
    Held,
    facts_of_chats,
    measured_of_chats,
)
from modelmint.evaluation.proof.equality import compare_answers, compare_folders
from modelmint.evaluation.proof.parity_facts import Limits
from modelmint.evaluation.proof.parity_page import parity_page
from modelmint.evaluation.proof.parity_texts import asked_texts
from modelmint.evaluation.proof.replay_chats import ChatReplay, Messages, Said, replay_chats
from modelmint.evaluation.proof.sides import UNDECIDED
from modelmint.evaluation.proof.tokenization import compare_reading, special_tokens
from modelmint.serving.writers import Followed

if TYPE_CHECKING:
    from modelmint.evaluation.parity import ParityInputs, ParitySpec

NEW_TOKENS = 64
"""How long the answers that are compared may become."""


def parity_of_chats(spec: "ParitySpec", inputs: "ParityInputs", ctx: StageContext, limits: Limits) -> Report:
    """Replay chats, or texts to go on with, through the real endpoint; refuse where it reads or says other than what it
    was made from.

    A variant with another body is held against its own folder, asked in this process (see `parity`).

    Raises:
        DataError: the test set holds no chats or texts.
        InputError: the variant is not of a model that writes.
    """
    if inputs.variant.facts.get("engine") != "genai":
        raise InputError(
            f"variant: must be one of a model that writes, a genai form; got {inputs.variant.facts.get('variant')}",
            parameter="variant",
            remedy="Make one by compress: its forms for such models are tried by default.",
        )
    is_student = bool(inputs.variant.facts.get("body"))
    asks = _asked if inputs.model.facts["task"] in CHATS else asked_texts
    asked = asks(spec, inputs, ctx.seed)
    reference = _reference(inputs, ctx, is_student=is_student)
    asked, prompts = _readable(asked, reference)
    exact = _exact(inputs, asked, prompts, ctx, is_student=is_student)
    num_read = reference.max_tokens if asked.are_texts else None
    with ctx.serve(inputs.variant) as endpoint:
        started_s = monotonic_s()

        def through(places: Sequence[int], concurrency: int) -> ChatReplay:
            return replay_chats(
                endpoint,
                [asked.chats[at] for at in places],
                [asked.tools[at] for at in places],
                max_tokens=NEW_TOKENS,
                concurrency=concurrency,
                timeout_s=spec.request_timeout_s,
                say=lambda done: ctx.say(done, len(places), f"replaying {asked.noun} through the endpoint"),
            )

        served = through(range(len(asked.chats)), spec.concurrency)
        seconds = monotonic_s() - started_s
        few = [] if served.failures else list(range(min(asked.num_rows, NUM_NEIGHBOURS)))
        alone, company = through(few, 1), through(few, 8)
    compared = ChatsCompared(
        asked=asked,
        prompts=prompts,
        served=served,
        held=[
            _held(reference, prompt, said, ctx, num_read=num_read)
            for prompt, said in zip(prompts, served.said, strict=True)
        ],
        exact=exact,
        neighbour_drift=_apart(alone, company),
        folder=inputs.model.files.folder(),
    )
    against = "the candidate's own folder" if is_student else "the trained model"
    facts = facts_of_chats(compared, limits) | {"held_against": against}
    measured = measured_of_chats(compared, seconds)
    page = parity_page(facts, measured, name=inputs.test.name, form=str(inputs.variant.facts.get("variant", "")))
    report: Report = ctx.desk.report("parity", facts, measured=measured, renderings={"report.html": page})
    return report


def _asked(spec: "ParitySpec", inputs: "ParityInputs", seed: int) -> Asked:
    dataset = inputs.test
    names = tables.column_names(dataset)
    columns = columns_of_chats(names)
    if not columns or not dataset.num_rows:
        raise DataError(
            f"test: must hold chats; got {'no rows' if columns else 'no column messages'}",
            parameter="test",
            remedy="Split the same rows that the model was trained on, with a share for the test.",
        )
    rows = tables.read(dataset, ["_row", *columns]).to_pylist()
    limit = min(spec.num_rows, MAX_CHATS)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:limit]).tolist()
    chats = [_before_the_answer(messages_of(rows[at])) for at in chosen]
    kept = [(at, chat) for at, chat in zip(chosen, chats, strict=True) if chat]
    texts = [str(chat[-1].get("content") or "") for _, chat in kept]
    odd = adversarial(
        texts,
        num_rows=min(spec.adversarial_rows, MAX_CHATS),
        max_tokens=int(inputs.model.facts["max_tokens"]),
        max_characters=MAX_TEXT_CHARACTERS,
        seed=seed,
        markers=special_tokens(inputs.model.files.folder()),
    )
    return Asked(
        ids=[str(rows[at]["_row"]) for at, _ in kept] + [""] * len(odd),
        chats=[chat for _, chat in kept] + [[{"role": "user", "content": str(one.given)}] for one in odd],
        tools=[rows[at].get("tools") for at, _ in kept] + [None] * len(odd),
        kinds=[""] * len(kept) + [one.kind for one in odd],
    )


def _before_the_answer(messages: Messages) -> Messages:
    plain = [{key: value for key, value in one.items() if value is not None} for one in messages]
    while plain and plain[-1].get("role") == "assistant":
        plain.pop()
    return plain


def _reference(inputs: "ParityInputs", ctx: StageContext, *, is_student: bool) -> Any:
    """What the answers are held against: it has `prompt` or `text_prompt`, `follow` and `stop_ids`."""
    if is_student:
        from modelmint.serving.writers import open_writer

        return open_writer(inputs.variant.files.folder(), ctx.num_threads)
    import torch

    from modelmint.training.tasks import open_model
    from modelmint.training.tasks.chat_model import load_chat

    torch.set_num_threads(ctx.num_threads)
    opens = load_chat if inputs.model.facts["task"] in CHATS else open_model
    return opens(inputs.model.files.folder())


def _readable(asked: Asked, reference: Any) -> tuple[Asked, list[list[int]]]:
    """The chats that the reference's template takes, and their token ids.

    Raises:
        DataError: it takes none of the rows.
    """
    prompts = [_prompt(reference, chat, tools) for chat, tools in zip(asked.chats, asked.tools, strict=True)]
    kept = [at for at, prompt in enumerate(prompts) if prompt is not None]
    if not any(at < asked.num_rows for at in kept):
        raise DataError(
            f"test: must hold chats that the model's template takes; of {asked.num_rows} it takes none",
            parameter="test",
            remedy="Look at roles and their order; training left such chats out too.",
        )
    taken = Asked(
        ids=[asked.ids[at] for at in kept],
        chats=[asked.chats[at] for at in kept],
        tools=[asked.tools[at] for at in kept],
        kinds=[asked.kinds[at] for at in kept],
    )
    return taken, [prompt for prompt in prompts if prompt is not None]


def _prompt(reference: Any, chat: Messages | str, tools: Any) -> list[int] | None:
    """Token ids as the reference reads the chat or the text; None where its template refuses it."""
    if isinstance(chat, str):
        text_ids: list[int] = reference.text_prompt(chat)
        return text_ids
    try:
        found = reference.prompt(chat, tools, max_new_tokens=NEW_TOKENS)
    except DataError:
        return None
    ids: list[int] = found[0] if isinstance(found, tuple) else found
    return ids


def _exact(
    inputs: "ParityInputs", asked: Asked, prompts: Sequence[list[int]], ctx: StageContext, *, is_student: bool
) -> JSON:
    """Settings, template, tokenizer, and the token ids of every prompt."""
    from modelmint.serving.writers import open_writer

    trained, candidate = inputs.model.files.folder(), inputs.variant.files.folder()
    if is_student:
        return {
            "compared": ["kind of answer"],
            "differences": compare_answers(candidate, inputs.model),
            "token_ids": _no_ids(),
        }
    texts = [asked.text(at) for at in range(len(asked.chats))]
    read = compare_reading(trained, candidate, texts, max_tokens=1 << 20, candidate_tokens=1 << 20)
    writer = open_writer(candidate, ctx.num_threads)
    differing = [at for at, ids in enumerate(prompts) if _prompt(writer, asked.chats[at], asked.tools[at]) != ids]
    found = [*compare_folders(trained, candidate, inputs.model), *read.differences]
    if differing:
        found.append(
            f"{len(differing)} of {len(prompts)} {asked.noun} become other token ids than in training: template, tokenizer or "
            "lengths differ"
        )
    templates = () if asked.are_texts else ("chat template",)
    return {
        "compared": ["settings", "config", *templates, "tokenizer", f"token ids of {len(prompts):,} prompts"],
        "differences": found,
        "token_ids": {
            "num_rows_differing": sum(at < asked.num_rows for at in differing),
            "kinds_differing": {},
            "examples": read.examples,
        },
    }


def _no_ids() -> JSON:
    return {"num_rows_differing": 0, "kinds_differing": {}, "examples": []}


def _followed(reference: Any, ids: Sequence[int], num_prompt: int, *, num_read: int | None) -> Followed:
    """What the reference holds of each token behind the prompt, reading what it reads as it writes.

    Args:
        num_read: of a language model, which reads anew as a text grows, its `max_tokens`.
    """
    written = (
        parts(num_prompt, NEW_TOKENS, num_read)
        if num_read
        else [Part(start=num_prompt, end=len(ids), num_read=num_prompt)]
    )
    found = [
        reference.follow(
            ids[part.first : part.end], [at - part.first for at in range(part.start, min(part.end, len(ids)))]
        )
        for part in written
        if part.start < len(ids)
    ]
    held, best, most = (np.concatenate(each) for each in zip(*found, strict=True))
    return held, best, most


def _held(
    reference: Any, prompt: list[int], said: Said | None, ctx: StageContext, *, num_read: int | None
) -> Held | None:
    """The trained model, led through an answer."""
    if said is None:
        return None
    ctx.check()
    stops = sorted(reference.stop_ids)
    ended = [stops[0]] if said.stopped and stops else []
    ids = [*prompt, *said.ids, *ended]
    places = list(range(len(prompt), len(ids)))
    if not places:
        return Held(same=[], undecided=[], drift=np.zeros(0), log_drift=np.zeros(0), wanted=None, place=None)
    held, best, most = _followed(reference, ids, len(prompt), num_read=num_read)
    same = [int(best[at]) == ids[place] and ids[place] not in stops for at, place in enumerate(places)]
    undecided = [bool(np.exp(most[at]) - np.exp(held[at]) <= UNDECIDED) for at in range(len(places))]
    if ended:
        same[-1] = int(best[-1]) in stops
    num = len(said.ids)
    told = np.asarray(said.logprobs, np.float64)
    first = next((at for at, is_same in enumerate(same) if not is_same), None)
    return Held(
        same=same,
        undecided=undecided,
        drift=np.abs(np.exp(told) - np.exp(held[:num])),
        log_drift=np.abs(told - held[:num]),
        wanted=int(best[first]) if first is not None else None,
        place=first,
    )


def _apart(alone: ChatReplay, company: ChatReplay) -> float:
    """The largest difference of a token's probability between a chat alone and in company; 1 where the words differ."""
    found = [0.0]
    for one, other in zip(alone.said, company.said, strict=True):
        if one is None or other is None or one.ids != other.ids:
            found.append(1.0)
        else:
            found += np.abs(np.exp(one.logprobs) - np.exp(other.logprobs)).tolist()
    return max(found)
