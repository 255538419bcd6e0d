"""Is what is served what was trained? Rows go through the real endpoint and meet the trained model's answers.

Three looks, from the outside in: what the endpoint answers to the rows of the test set, to odd texts made from them, and
to one text alone and in company; whether the candidate reads texts as the trained model does, token for token, and says
the same of labels and lengths; whether its weights are those that were trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from modelmint.core.clock import monotonic_s
from modelmint.core.columns import Columns, RowCodes
from modelmint.core.inputs import (
    FILES,
    ROW,
    TAKEN,
    WRITTEN,
    Input,
    cells_of,
    fits,
    labels_of,
    reads,
    taken_in,
    texts_in,
)
from modelmint.core.items import Catalogue
from modelmint.core.spec import Spec
from modelmint.core.stage import MAX_TEXT_CHARACTERS, Endpoint, StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.proof.adversarial import Odd, adversarial, in_place
from modelmint.evaluation.proof.exact import compare_exactly
from modelmint.evaluation.proof.odd_files import odd_files
from modelmint.evaluation.proof.odd_histories import odd_histories
from modelmint.evaluation.proof.odd_rows import odd_rows
from modelmint.evaluation.proof.parity_chats import parity_of_chats
from modelmint.evaluation.proof.parity_facts import Compared, Limits, facts_of, measured_of
from modelmint.evaluation.proof.parity_page import parity_page
from modelmint.evaluation.proof.ports import port_of
from modelmint.evaluation.proof.replay import ALONE, SIZES, Replay, replay
from modelmint.evaluation.proof.sides import (
    Side,
    apart,
    engine_side,
    how_of,
    named_by_nearest,
    served_side,
    task_of,
    trained_side,
)
from modelmint.evaluation.proof.tokenization import special_tokens
from modelmint.evaluation.rows import Rows
from modelmint.evaluation.search_rows import RERANKING, SEARCHES, SearchRows

ENOUGH_ROWS = 200
NUM_NEIGHBOURS = 48
COMPANY = (8,)  # texts in a request, so that texts of several lengths are padded together
EXACT_DRIFT = 0.001
"""What no row's probability may exceed in a form that does not round."""
NEIGHBOUR_DRIFT = 0.02
"""By how much an answer may depend on what else is asked at the same time."""
EXACT_DISTANCE, NEIGHBOUR_DISTANCE = 1e-5, 1e-3
"""The same of vectors, whose drift is a cosine distance: the square of an angle."""


class ParitySpec(Spec):
    """How closely the served variant must answer like the model that it was made from."""

    num_rows: int = Field(default=5_000, ge=ENOUGH_ROWS)
    """How many rows of the test set to replay; all of them where it has fewer."""
    adversarial_rows: int = Field(default=240, ge=0, le=5_000)
    """How many odd inputs to make from those rows and replay: texts that are empty, too long, emoji, other scripts,
    template markers; files in other forms; cells that are missing, unseen, huge or of another type."""
    min_agreement: float = Field(default=0.99, gt=0, le=1)
    """The least share of rows on which the endpoint and the trained model give the same answer."""
    min_adversarial_agreement: float = Field(default=0.95, gt=0, le=1)
    """The same of the odd texts; where the trained model is undecided between two answers (0.05 apart), either is right."""
    max_accuracy_drop: float = Field(default=0.005, ge=0, le=1)
    """By how much the endpoint's accuracy may be below that of the trained model."""
    max_mean_drift: float = Field(default=0.03, gt=0, le=1)
    """By how much the most moved probability may move, on the mean of the rows, and on that of the odd texts; of vectors
    the cosine distance.
    """
    concurrency: int = Field(default=4, ge=1, le=32)
    """Requests under way at a time, so that the server's batching is part of what is checked."""
    request_timeout_s: float = Field(default=30.0, gt=0, le=600)
    """How long one request may take; one that takes longer counts as an answer that is missing."""


@dataclass(frozen=True, kw_only=True)
class ParityInputs:
    model: Model
    variant: Model
    test: Dataset


@dataclass(frozen=True, kw_only=True)
class ParityOutputs:
    parity: Report


def parity(spec: ParitySpec, inputs: ParityInputs, ctx: StageContext) -> ParityOutputs:
    """Replay rows through the real endpoint; refuse where it differs from what it was made from.

    A variant of the trained model's own weights, in whatever form, is held against the trained model. One with another
    body (fact `body`) is another model by intent, and how near it must be to the trained one is for the gates of
    `compress`, which measured this very folder; it is held against that folder, asked in this process, and its labels
    and its kind of answer against the trained model.

    A request that fails, or an answer that is missing or malformed, counts as a disagreement and as wrong, and refuses.
    A text that is longer than the API takes must be refused by it, and is compared no further; so must a row of a table
    that lacks a column, has another one, or a word where a number stands.

    Raises:
        DataError: the test set is empty, or a row has no text or label.
        InputError: the model is for a task that the endpoint does not answer.
    """
    if inputs.model.facts.get("task") in WRITTEN:
        return ParityOutputs(parity=parity_of_chats(spec, inputs, ctx, limits_of(spec, inputs.variant)))
    is_student = bool(inputs.variant.facts.get("body"))
    how, labels = how_of(inputs.model), labels_of(inputs.model.facts)
    rows = _rows(spec, inputs, ctx.seed)
    odd = _odd(spec, rows, inputs.model, ctx.seed)
    texts = [*rows.inputs, *(one.given for one in odd)]
    trained = (
        engine_side(inputs.variant, texts, ctx, labels, how) if is_student else trained_side(inputs.model, texts, ctx)
    )
    exact = compare_exactly(inputs.model, inputs.variant, texts, is_student=is_student)
    may_answer = _takes(texts, inputs.model)
    with ctx.serve(inputs.variant) as endpoint:
        started_s = monotonic_s()
        served = _replay(spec, endpoint, texts, ctx, how, may_answer=may_answer)
        seconds = monotonic_s() - started_s
        answered = [one for one, may in zip(rows.inputs, may_answer, strict=False) if may]
        neighbours = [] if served.failures else _few(rows, answered, odd, ctx.seed)
        alone = _replay(spec, endpoint, neighbours, ctx, how, sizes=ALONE)
        company = _replay(spec, endpoint, neighbours, ctx, how, sizes=COMPANY)
    sides = [served_side(each.answers, labels, how) for each in (served, alone, company)]
    compared = Compared(
        rows=rows,
        odd=odd,
        trained=_named(trained, texts, len(rows.ids), how),
        served=_named(sides[0], texts, len(rows.ids), how),
        apart=apart(trained, sides[0], how, undecided_from=len(rows.ids), lists=getattr(rows, "lists", ())),
        may_answer=may_answer,
        neighbours=apart(sides[1], sides[2], how),
        neighbour_texts=neighbours,
        failures=[*served.failures, *alone.failures, *company.failures],
        failed=served.failed,
        how=how,
        exact=exact,
    )
    facts = facts_of(compared, limits_of(spec, inputs.variant, how))
    facts |= {"held_against": "the candidate's own folder" if is_student else "the trained model"}
    measured = measured_of(compared, served, seconds)
    page = parity_page(facts, measured, name=inputs.test.name, form=str(inputs.variant.facts.get("variant", "")))
    report = ctx.desk.report("parity", facts, measured=measured, renderings={"report.html": page})
    return ParityOutputs(parity=report)


def limits_of(spec: ParitySpec, variant: Model, how: JSON | None = None) -> Limits:
    """What the gates on a variant allow."""
    is_vector = how is not None and how["by"] == "vector"
    exact = EXACT_DISTANCE if is_vector else EXACT_DRIFT
    return Limits(
        agreement=spec.min_agreement,
        adversarial_agreement=spec.min_adversarial_agreement,
        accuracy_drop=spec.max_accuracy_drop,
        mean_drift=spec.max_mean_drift,
        max_drift=exact if str(variant.facts.get("variant", "")).endswith(("fp32", "fp64")) else None,
        neighbour_drift=NEIGHBOUR_DISTANCE if is_vector else NEIGHBOUR_DRIFT,
        enough_rows=ENOUGH_ROWS,
    )


def _rows(spec: ParitySpec, inputs: ParityInputs, seed: int) -> Rows | SearchRows:
    task = task_of(inputs.model)
    if task in SEARCHES:
        return SearchRows.read(inputs.test, inputs.model, "test", limit=spec.num_rows, seed=seed)
    return Rows.read(inputs.test, task, "test", limit=spec.num_rows, seed=seed, model=inputs.model)


def _named(side: Side, texts: Sequence[Input], num_rows: int, how: JSON) -> Side:
    if how["by"] != "vector":
        return side
    return named_by_nearest(side, [texts_in(one)[0] for one in texts], num_rows)


def _odd(spec: ParitySpec, rows: Rows | SearchRows, model: Model, seed: int) -> list[Odd]:
    inputs, columns = rows.inputs, reads(model.facts)
    if columns in FILES:
        return odd_files(rows.columns[columns[0]], columns[0], num_rows=spec.adversarial_rows, seed=seed)
    if columns == ROW:
        learned = Columns.from_json(model.facts["columns"], model.facts.get("left_out_columns"))
        return odd_rows([cells_of(one) for one in inputs], learned, num_rows=spec.adversarial_rows, seed=seed)
    if columns == TAKEN:
        histories, items = [taken_in(one) for one in inputs], Catalogue.read(model.files.folder())
        return odd_histories(histories, items, num_rows=spec.adversarial_rows, seed=seed)
    texts = adversarial(
        [texts_in(one)[0] for one in inputs],
        num_rows=spec.adversarial_rows,
        max_tokens=int(model.facts["max_tokens"]),
        max_characters=MAX_TEXT_CHARACTERS,
        seed=seed,
        markers=special_tokens(model.files.folder()),
    )
    return in_place(texts, inputs, columns)


def _replay(
    spec: ParitySpec,
    endpoint: Endpoint,
    texts: Sequence[Input],
    ctx: StageContext,
    how: JSON,
    *,
    sizes: Sequence[int] = SIZES,
    may_answer: Sequence[bool] = (),
) -> Replay:
    """One request after the other where each text goes alone, so that the server gives none of them company."""
    return replay(
        endpoint,
        texts,
        concurrency=1 if sizes == ALONE else spec.concurrency,
        timeout_s=spec.request_timeout_s,
        seed=ctx.seed,
        sizes=sizes,
        may_answer=may_answer,
        port=port_of(how),
        say=lambda done: ctx.say(done, len(texts), "replaying through the endpoint"),
    )


def _few(rows: Rows | SearchRows, fitting: Sequence[Input], odd: Sequence[Odd], seed: int) -> list[Input]:
    """Some of those that the API takes (`fitting`); of rankings a few queries, each with documents from the shortest to the longest."""
    if rows.task == RERANKING:
        queries = sorted({texts_in(one)[0] for one in fitting})[: NUM_NEIGHBOURS // COMPANY[0]]
        pairs = [*fitting, *(one.given for one in odd if fits(one.given))]
        documents = sorted({texts_in(one)[1] for one in pairs}, key=lambda text: (len(text), text))
        spread = [documents[at * len(documents) // COMPANY[0]] for at in range(COMPANY[0])]
        return [{"text": query, "text_pair": document} for query in queries for document in spread]
    return [fitting[at] for at in np.random.default_rng(seed).permutation(len(fitting))[:NUM_NEIGHBOURS].tolist()]


def _takes(texts: Sequence[Input], model: Model) -> list[bool]:
    """Whether the API takes each, by the trained model's word."""
    if reads(model.facts) != ROW:
        return [fits(one) for one in texts]
    codes = RowCodes(Columns.from_json(model.facts["columns"], model.facts.get("left_out_columns")))
    return [fits(one) and codes.wrong(cells_of(one)) is None for one in texts]
