"""Cheap ways that search, recommend, write and go on with texts."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import InputError
from modelmint.core.types import Model
from modelmint.evaluation.baselines.beside import beside
from modelmint.evaluation.baselines.cheap import Asked
from modelmint.evaluation.baselines.language import NGrams
from tests.tiny_base import questions, write_base

Make = Callable[..., Asked]


def test_ngrams_are_interpolated_as_witten_and_bell_say() -> None:
    alone = (1 + 3 / 257) / (3 + 3)  # each of a, b and the end was seen once, among 257 that may come
    assert NGrams.learn(["ab"], num_before=0).losses(["ab"])[0] == pytest.approx(-3 * math.log(alone))
    assert NGrams.learn(["ab"], num_before=1).losses(["ab"])[0] == pytest.approx(-3 * math.log((1 + alone) / (1 + 1)))


def test_longer_ngrams_are_less_surprised_by_what_repeats_itself() -> None:
    texts = ["the cat sat on the mat and the dog sat on the cat"] * 20
    losses = [NGrams.learn(texts, num_before=num).losses(texts[:1])[0] for num in (0, 1, 3, 6)]
    assert losses == sorted(losses, reverse=True)


def test_ngrams_read_no_more_than_their_bounds_allow() -> None:
    assert NGrams.learn(["x" * 100] * 50, max_bytes=1_000).num_texts == 9
    assert NGrams.learn(["x" * 5_000, "y"], max_bytes=1_000).num_texts == 1


def test_a_language_model_is_measured_beside_by_its_own_tokens(asked: Make) -> None:
    rows = [{"text": f"order {at % 9} is on its way to you"} for at in range(60)] + [{"text": ""}]
    answers = [{"loss": 40.0, "tokens": 9}] * 10 + [{"loss": 0.0, "tokens": 0}]
    found = beside("auto", asked("text-generation", rows[:50], rows[50:], answers))
    assert found.facts
    assert found.facts["metrics"]["bits_per_byte"]["value"] < 1
    assert found.facts["metrics"]["perplexity"]["n"] == 10
    assert set(found.facts["difference"]) == {"perplexity", "bits_per_byte", "bits_per_character", "loss"}


def test_bm25_finds_what_shares_rare_words(asked: Make) -> None:
    rows = [{"query": f"where is order{at}", "positive": f"the parcel of order{at} is on its way"} for at in range(30)]
    vector = [1.0, 0.0]
    answers = [{"query": vector, "positive": vector}] * 30
    found = beside("bm25", asked("text-embedding", rows, rows, answers, form="text-retrieval"))
    assert found.facts
    assert found.facts["metrics"]["accuracy_at_1"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 30}
    assert found.facts["difference"]["mrr_at_10"]["value"] < 0


def test_labelled_texts_search_each_other_and_never_themselves(asked: Make) -> None:
    rows = questions(80, seed=3)
    answers = [{"embedding": [float(at), 1.0]} for at in range(80)]
    found = beside("auto", asked("text-embedding", rows, rows, answers, form="text-classification"))
    assert found.facts
    assert found.facts["name"] == "TF-IDF"
    assert 0.6 < found.facts["metrics"]["accuracy_at_1"]["value"] < 1


def test_candidates_are_ordered_anew(asked: Make) -> None:
    rows = [{"query": "order 7", "positive": "order 7 is late"}, {"query": "cash", "positive": "cash is out"}]
    results = [{"text": "cash is out", "score": 0.9}, {"text": "order 7 is late", "score": 0.1}]
    answers = [{"results": results}, {"results": results}]
    found = beside("auto", asked("text-reranking", rows, rows, answers, form="text-retrieval"))
    assert found.facts
    assert found.facts["metrics"]["accuracy_at_1"]["value"] == 1
    assert found.facts["difference"]["accuracy_at_1"]["value"] == -0.5


def test_labelled_pairs_are_scored(asked: Make) -> None:
    rows = [
        {"text": "where is my card", "text_pair": pair, "label": label}
        for pair, label in (("cards take a week", "no"), ("where a card is", "yes"), ("hello", "no"))
    ]
    answers = [{"score": 0.5, "is_positive": row["label"] == "yes"} for row in rows]
    found = beside("auto", asked("text-reranking", rows, rows, answers, form="text-pair-classification"))
    assert found.facts
    assert found.facts["metrics"]["accuracy_at_1"]["value"] == 1


@pytest.mark.parametrize("kind", ["item-knn", "als"])
def test_what_goes_together_is_recommended_together(asked: Make, desk: StagingDesk, tmp_path: Path, kind: str) -> None:
    histories = [[0, 1, 2], [0, 1, 2], [1, 2, 0], [3, 4, 5], [4, 5, 3], [3, 5, 4], [0, 1], [3, 4]]
    model = _recommender(desk, tmp_path / "model", histories)
    rows = [{"user": "u6", "item": "i2"}, {"user": "u7", "item": "i5"}]
    answers = [{"items": [{"item": "i9", "score": 1.0}]}] * 2
    one = asked("recommendation", rows, rows, answers, model=model)
    found = beside(kind, one)
    assert found.facts
    assert found.facts["metrics"]["ndcg_at_10"]["value"] == 1


def test_a_user_that_nobody_knows_gets_what_is_popular(asked: Make, desk: StagingDesk, tmp_path: Path) -> None:
    model = _recommender(desk, tmp_path / "model", [[0, 1], [1, 2], [1, 0]])
    rows = [{"user": "stranger", "item": "i1"}]
    answers = [{"items": [{"item": "i9", "score": 1.0}]}]
    found = beside("popularity", asked("recommendation", rows, rows, answers, model=model))
    assert found.answered
    assert [one["item"] for one in found.answered.answers[0]["items"]][:2] == ["i1", "i0"]


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        ("the {0} cat sat", "the {0} cat sat!", "the source, copied"),
        (
            "news of {0}. It rained and nothing else was said of it that day.",
            "news of {0}.",
            "first words of the source",
        ),
        ("{1} greeting", "Guten Tag {1}", "target of the nearest training source"),
    ],
)
def test_the_honest_way_to_write_is_chosen_on_training_rows(asked: Make, source: str, target: str, name: str) -> None:
    rows = [
        {"text": source.format(f"word{at}", "abcde"[at % 5] * 3), "target": target.format(f"word{at}", "abcde"[at % 5] * 3)}
        for at in range(60)
    ]  # fmt: skip
    found = beside("auto", asked("text2text-generation", rows[:50], rows[50:], [{"text": "?"}] * 10))
    assert found.facts
    assert found.facts["name"] == name


def test_the_untuned_base_tells_topics_by_its_states(asked: Make, desk: StagingDesk, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    model = _named(desk, tmp_path / "model", task="text-classification", base=str(base))
    train, test = questions(300, seed=1), questions(100, seed=2)
    answers = [{"label": "card", "score": 1.0}] * 100
    found = beside("embeddings", asked("text-classification", train, test, answers, model=model))
    assert found.facts
    assert found.facts["metrics"]["accuracy"]["value"] > 0.6


def test_a_base_that_is_not_there_is_told_with_what_to_take_instead(asked: Make) -> None:
    rows = questions(20, seed=1)
    one = asked("text-classification", rows, rows, [{"label": "card", "score": 1.0}] * 20)
    with pytest.raises(InputError, match="baseline: embeddings needs the base that the model was made from, none"):
        beside("embeddings", one)


def test_hidden_words_are_those_that_the_model_was_asked_for(asked: Make, desk: StagingDesk, tmp_path: Path) -> None:
    from modelmint.training.corpus import open_whole
    from modelmint.training.masked import load_masked_base
    from modelmint.training.tasks.masked_language_model import hidden_of
    from modelmint.training.tasks.masked_model import MaskedWords

    folder = write_base(tmp_path / "base", num_spare_tokens=1)
    written = json.loads((folder / "tokenizer.json").read_text())
    written["model"]["vocab"]["[MASK]"] = len(written["model"]["vocab"])
    (folder / "tokenizer.json").write_text(json.dumps(written))
    model = _named(desk, folder, task="masked-language-model", base="none", max_tokens=32, masked=0.15)
    rows = [{"text": row["text"]} for row in questions(60, seed=4)]
    tokenizer = open_whole(folder)
    reader = MaskedWords(load_masked_base(folder), tokenizer, hidden_of(folder, tokenizer), max_tokens=32, masked=0.15)
    answers = reader.predict({"text": [row["text"] for row in rows[40:]]})
    found = beside("auto", asked("masked-language-model", rows[:40], rows[40:], answers, form="text-generation", model=model))  # fmt: skip
    assert found.answered
    assert [one["tokens"] for one in found.answered.answers] == [one["tokens"] for one in answers]
    assert found.answered.figures["perplexity"]["value"] < 30


def _named(desk: StagingDesk, folder: Path, **about: Any) -> Model:
    folder.mkdir(exist_ok=True)
    (folder / "modelmint.json").write_text(json.dumps(about))
    return desk.model("model", folder)


def _recommender(desk: StagingDesk, folder: Path, histories: list[list[int]]) -> Model:
    """What a recommender's folder says of behaviour, without its network."""
    from safetensors.numpy import save_file

    folder.mkdir()
    items = [f"i{at}" for at in range(1 + max(max(one) for one in histories))]
    every = np.concatenate([np.array(one, np.int64) for one in histories])
    counts = np.bincount(every, minlength=len(items)).tolist()
    (folder / "items.json").write_text(json.dumps({"items": items, "counts": counts}))
    (folder / "users.json").write_text(json.dumps([f"u{at}" for at in range(len(histories))]))
    ends = np.cumsum([len(one) for one in histories]).astype(np.int64)
    save_file({"items": every, "ends": ends}, folder / "histories.safetensors")
    return _named(desk, folder, task="recommendation", base="none")
