"""What a model will reach at least, told cheaply: a linear layer on the frozen base, or the cheap way itself, by folds.

Every row is answered by a model that has not seen it. Imports PyTorch where a base is asked.

Shapes: n rows, d numbers a row.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.forms import contents, form_of
from modelmint.core.types import JSON, Dataset
from modelmint.evaluation.baselines.texts import baseline
from modelmint.training.bases import resolve
from modelmint.training.beginnings import Beginning
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import Task
from modelmint.training.train import TrainInputs, new_job

NUM_FOLDS = 5
MAX_ROWS = 2_000
MIN_ROWS = 50
CHUNK = 128
LINEAR = ("text-classification", "text-pair-classification", "text-regression")
"""Tasks for which frozen states with a linear layer say something."""
CHEAP = ("text-classification", "text-pair-classification")
TABLES = ("tabular-classification", "tabular-regression")
INVERSE_PENALTY = 3.0
MAX_STEPS = 100

Answers = list[dict[str, Any]]


def expected(task: Task, train: TrainSpec, sample: Dataset, *, limit_s: float, seed: int) -> JSON | None:
    """The main figure of the task that a training of `train` should not fall below; None where no cheap way is honest.

    Args:
        limit_s: fewer rows are looked at where so many seconds do not do for `MAX_ROWS`.

    Returns:
        ``metric``, ``value``, ``low``, ``high``, ``n``, and ``how`` it was found.
    """
    rows = _drawn(sample, seed)
    if rows.num_rows < MIN_ROWS:
        return None
    model = train.options.get("model") or "boosting"
    if task.name in TABLES and (model if isinstance(model, str) else model.get("name")) != "network":
        how = f"the same from {rows.num_rows * (NUM_FOLDS - 1) // NUM_FOLDS:,} rows"
        return _told(task, rows, *_really_trained(task, train, rows, seed), seed, how)
    if task.name in LINEAR and train.base != "none":
        states_nd = _states(task, train, rows, limit_s)
        rows = _first(rows, len(states_nd))
        answers = _linear(states_nd, rows, seed, number=task.name == "text-regression")
        return _told(task, rows, answers, range(len(answers)), seed, "a linear layer on the frozen base")
    return None


def cheap_way(task: Task, sample: Dataset, *, seed: int) -> JSON | None:
    """What TF-IDF with logistic regression reaches on the same rows: beside it a model must earn its keep."""
    rows = _drawn(sample, seed)
    if task.name not in CHEAP or rows.num_rows < MIN_ROWS:
        return None
    texts, labels = _texts(rows), tables.column(rows, "label")
    answers: Answers = [{} for _ in labels]
    for learned, asked in _folds(texts, labels, seed):
        found = baseline("tfidf", [texts[at] for at in learned], [labels[at] for at in learned], [texts[at] for at in asked], seed=seed)  # fmt: skip
        for at, label in zip(asked, found.predicted, strict=True):
            answers[at] = {"label": label}
    return _told(task, rows, answers, range(len(answers)), seed, "TF-IDF with logistic regression")


def _told(task: Task, rows: Dataset, answers: Answers, places: Sequence[int], seed: int, how: str) -> JSON:
    table = tables.read(rows).take(list(places))
    figures = task.measure()({name: table.column(name).to_pylist() for name in table.column_names}, answers, seed=seed)
    metric = next(iter(figures))
    return {"metric": metric, **figures[metric], "how": how}


def _states(task: Task, train: TrainSpec, rows: Dataset, limit_s: float) -> npt.NDArray[np.float32]:
    """(n, d) of as many rows as the time does for: mean token states, of pairs both and how they differ."""
    import torch

    from modelmint.training.batches import logits_of, open_tokenizer
    from modelmint.training.encoders import MeanEncoder, load_encoder
    from modelmint.training.optimization import choose_precision

    began_s, base, knobs = monotonic_s(), resolve(train.base), task.knobs(train)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = MeanEncoder(load_encoder(base.folder)).to(device)
    tokenize = open_tokenizer(base.folder, min(knobs.max_tokens, base.max_tokens))
    pad_id = int(model.encoder.config.pad_token_id or 0)
    names = [name for name in ("text", "text_pair") if name in tables.column_names(rows)]
    columns = [[text or "" for text in tables.column(rows, name)] for name in names]
    parts: list[list[npt.NDArray[np.float32]]] = [[] for _ in names]
    for start in range(0, rows.num_rows, CHUNK):
        with torch.autocast(device.type, torch.bfloat16, enabled=choose_precision(knobs.precision) == "bf16"):
            for part, texts in zip(parts, columns, strict=True):
                part.append(logits_of(model, tokenize(texts[start : start + CHUNK]), pad_id).numpy())
        if start >= MIN_ROWS and monotonic_s() - began_s > limit_s:
            break
    states = [_unit(np.concatenate(part).astype(np.float32)) for part in parts]
    return states[0] if len(states) == 1 else np.concatenate([*states, np.abs(states[0] - states[1])], axis=1)


def _unit(states_nd: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    centred = states_nd - states_nd.mean(axis=0)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))


def _linear(states_nd: npt.NDArray[np.float32], rows: Dataset, seed: int, *, number: bool) -> Answers:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    truth = tables.column(rows, "label")
    answers: Answers = [{} for _ in truth]
    for learned, asked in _folds(_texts(rows), ["" for _ in truth] if number else truth, seed):
        known = [truth[at] for at in learned]
        if not number and len(set(known)) == 1:
            found = [known[0] for _ in asked]
        else:
            model = Ridge(alpha=1 / INVERSE_PENALTY) if number else LogisticRegression(C=INVERSE_PENALTY, tol=1e-3, max_iter=MAX_STEPS)  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a little short of the best is good enough
                found = model.fit(states_nd[learned], known).predict(states_nd[asked]).tolist()
        for at, one in zip(asked, found, strict=True):
            answers[at] = {"value": float(one)} if number else {"label": str(one)}
    return answers


def _really_trained(task: Task, train: TrainSpec, rows: Dataset, seed: int) -> tuple[Answers, list[int]]:
    """Answers, and the rows that they are of, by models that were trained as they would be, on fewer rows."""
    from modelmint.training.tasks import open_model

    is_number = task.name == "tabular-regression"
    table, labels = tables.read(rows), ["" if is_number else str(one) for one in tables.column(rows, "label")]
    counts = Counter(labels)
    common = [at for at, label in enumerate(labels) if is_number or counts[label] >= NUM_FOLDS]
    table, labels = table.take(common), [labels[at] for at in common]
    answers, places = list[dict[str, Any]](), list[int]()
    spec = task.begun(train)
    for learned, asked in _folds([str(row) for row in table.to_pylist()], labels, seed):
        known = tables.in_memory("rows", table.take(learned), rows.facts)
        job = new_job(task, spec, TrainInputs(train=known, validation=_first(known, 0)), Beginning.of(spec, None), seed)
        model, _ = job.learner.fit_whole(lambda _done, _most, _message: None, lambda: None)
        with tempfile.TemporaryDirectory() as folder:
            job.learner.save(model, Path(folder))
            about = {"task": task.name, "base": spec.base, "languages": [], **job.learner.facts()}
            (Path(folder) / "modelmint.json").write_text(json.dumps(about), encoding="utf-8")
            answers += open_model(Path(folder)).predict(table.take(asked).to_pydict())
        places += [common[at] for at in asked]
    return answers, places


def _folds(texts: Sequence[str], labels: Sequence[Any], seed: int) -> Iterator[tuple[list[int], list[int]]]:
    """Places to learn from and places to ask for each fold: labels spread evenly, equal contents together."""
    random = np.random.default_rng(seed)
    _, first, of = np.unique(np.asarray(texts, dtype=object), return_index=True, return_inverse=True)
    names = np.asarray([str(labels[at]) for at in first], dtype=object)
    fold = np.empty(len(first), np.int64)
    fold[np.lexsort((random.random(len(first)), np.unique(names, return_inverse=True)[1]))] = (
        np.arange(len(first)) % NUM_FOLDS
    )
    for one in range(NUM_FOLDS):
        asked = np.flatnonzero(fold[of] == one)
        if len(asked):
            yield np.flatnonzero(fold[of] != one).tolist(), asked.tolist()


def _drawn(sample: Dataset, seed: int) -> Dataset:
    table = tables.read(sample)
    places = np.random.default_rng(seed).permutation(table.num_rows)[:MAX_ROWS]
    return tables.in_memory(sample.name, table.take(places), sample.facts)


def _first(rows: Dataset, num_rows: int) -> Dataset:
    return tables.in_memory(rows.name, tables.read(rows).slice(0, num_rows), rows.facts)


def _texts(rows: Dataset) -> list[str]:
    form = form_of(rows)
    return [one for batch in tables.batches(rows) for one in contents(batch, form)]
