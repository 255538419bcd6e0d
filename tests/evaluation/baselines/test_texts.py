import csv
import time
from pathlib import Path

import pytest

from modelmint.evaluation.baselines.texts import baseline
from modelmint.evaluation.metrics.classification import accuracy


def test_words_tell_topics_apart() -> None:
    texts = ["my card is lost", "a new card please", "cash is gone", "no cash came out"]
    found = baseline("tfidf", texts, ["card", "card", "cash", "cash"], ["the card", "some cash"], seed=1)
    assert found.predicted == ["card", "cash"]


def test_characters_tell_chinese_topics_apart() -> None:
    texts = ["我的银行卡丢了怎么办", "银行卡什么时候寄到", "今天天气很好我们去公园", "公园里的天气真不错"]
    found = baseline("tfidf", texts, ["bank", "bank", "park", "park"], ["请问银行卡能补办吗", "明天公园天气"], seed=1)
    assert found.predicted == ["bank", "park"]


def test_one_label_or_no_characters_fall_back_to_the_majority_and_say_so() -> None:
    assert baseline("tfidf", ["x", "y"], ["a", "a"], ["z"], seed=1).name == "majority label"
    assert baseline("tfidf", ["", " ", ""], ["a", "b", "b"], ["z"], seed=1).predicted == ["b"]


def test_the_same_seed_gives_the_same_predictions() -> None:
    texts = [f"word{at % 7} and word{at % 5}" for at in range(300)]
    labels = [str(at % 7) for at in range(300)]
    first, second = (baseline("tfidf", texts, labels, texts[:50], seed=3) for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_banking77_takes_seconds_and_is_a_real_opponent(shared: Path) -> None:
    texts, labels = _read(shared / "banking77" / "train.csv")
    asked, truth = _read(shared / "banking77" / "test.csv")
    started_s = time.process_time()  # not that of other processes
    found = baseline("tfidf", texts, labels, asked, seed=1)
    assert accuracy(truth, found.predicted) > 0.90
    assert time.process_time() - started_s < 25


def _read(path: Path) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["text"] for row in rows], [row["label"] for row in rows]
