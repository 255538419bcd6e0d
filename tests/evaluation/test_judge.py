"""judge: a real server rates, well or badly; it may judge only where it agrees with people."""

import json
import random
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import cohen_kappa_score

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import AuthError, DataError, InputError
from modelmint.core.stage import StageContext
from modelmint.core.tables import read
from modelmint.evaluation.judge import JudgeInputs, JudgeOutputs, JudgeSpec, judge
from modelmint.evaluation.judging.agreement import agreement, corrected
from tests.chat_server import says, serving

RUBRIC = "A good answer says what was asked in full sentences."
Rate = Callable[..., JudgeOutputs]


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own setting lets recipes reach this machine."""
    monkeypatch.setenv("MODELMINT_ALLOW_PRIVATE_URLS", "127.0.0.0/8")


@pytest.fixture
def rate(context: StageContext, desk: StagingDesk) -> Rate:
    """60 answers that people rated, and 40 of a model; an answer says itself how good it is."""

    def run(answer: Any, *, ratings: list[Any] | None = None, **spec: Any) -> JudgeOutputs:
        dice = random.Random(3)
        worths = [dice.randint(1, 5) for _ in range(60)]
        rated = [
            {"_row": f"r{at}", "text": f"question {at}", "target": f"worth {worth}", "rating": str(worth)}
            for at, worth in enumerate(worths)
        ]
        for row, given in zip(rated, ratings or [], strict=False):
            row["rating"] = given
        test = [{"_row": f"t{at}", "text": f"asked {at}", "target": "x"} for at in range(40)]
        said = [{"_row": f"t{at}", "answer": json.dumps({"text": f"worth {1 + at % 5}"})} for at in range(40)]
        facts = {"task": "text2text-generation"}
        with serving(answer) as (url, asked):
            run.asked = asked  # type: ignore[attr-defined]
            return judge(
                JudgeSpec(url=url, model="m", rubric=RUBRIC, **spec),
                JudgeInputs(
                    rated=desk.dataset("rated", pa.Table.from_pylist(rated), facts=facts),
                    test=desk.dataset("test", pa.Table.from_pylist(test), facts=facts),
                    predictions=desk.dataset("predictions", pa.Table.from_pylist(said)),
                ),
                context,
            )

    return run


def worth(_system: str, user: str) -> tuple[int, Any]:
    found = re.findall(r"worth (\d)", user)
    return says(json.dumps({"why": "it says so", "rating": int(found[-1])}))


def kinder(system: str, user: str) -> tuple[int, Any]:
    _, body = worth(system, user)
    number = json.loads(body["choices"][0]["message"]["content"])["rating"]
    return says(f'Sure! {{"why": "kind", "rating": {min(5, number + 1)}}}')


def at_random(_system: str, user: str) -> tuple[int, Any]:
    return says(json.dumps({"why": "", "rating": 1 + zlib.crc32(user.encode()) % 5}))


def test_a_judge_that_agrees_rates_every_answer(rate: Rate) -> None:
    made = rate(worth)
    facts = made.judgement.facts
    assert (facts["refused"], facts["agreement"]["kappa"]["value"], facts["num_judged"]) == ([], 1.0, 40)
    assert read(made.ratings, ["rating"]).column("rating").to_pylist() == [1 + at % 5 for at in range(40)]


def test_a_judge_that_is_too_kind_is_corrected_by_its_errors_on_what_people_rated(rate: Rate) -> None:
    metrics = rate(kinder).judgement.facts["metrics"]
    assert metrics["rating"]["value"] == pytest.approx(3.8)
    assert abs(metrics["corrected_rating"]["value"] - 3.0) < 0.15
    assert metrics["corrected_rating"]["low"] < 3.0 < metrics["corrected_rating"]["high"]


def test_a_judge_that_does_not_agree_is_refused_and_judges_nothing(rate: Rate) -> None:
    made = rate(at_random)
    (reason,) = made.judgement.facts["refused"]
    assert reason.startswith("kappa: must be >= 0.6 between the judge and people")
    assert (len(rate.asked), made.ratings.num_rows) == (60, 0)  # type: ignore[attr-defined]


def test_a_judge_that_talks_instead_of_rating_is_refused(rate: Rate) -> None:
    facts = rate(lambda _system, _user: says("What a lovely answer!")).judgement.facts
    assert (facts["num_unreadable"], facts["agreement"]) == (60, None)
    assert any(reason.startswith("unreadable:") for reason in facts["refused"])


def test_a_mean_below_what_is_asked_for_refuses(rate: Rate) -> None:
    (reason,) = rate(worth, min_rating=3.5).judgement.facts["refused"]
    assert reason == "corrected_rating: must be >= 3.5; it is 3.000"


def test_the_question_the_answer_and_the_rubric_are_what_is_asked(rate: Rate) -> None:
    rate(worth, concurrency=1)
    first = rate.asked[0]["messages"]  # type: ignore[attr-defined]
    assert "from 1 (worst) to 5 (best)" in first[0]["content"].partition(RUBRIC)[2]
    assert first[1]["content"].startswith("The question:\nquestion 0\n\nThe answer to rate:\nworth ")


def test_only_a_sample_is_judged_where_there_are_more(rate: Rate) -> None:
    facts = rate(worth, max_rows=10).judgement.facts
    assert (facts["num_answers"], facts["num_judged"]) == (40, 10)


def test_a_rating_off_the_scale_names_its_row(rate: Rate) -> None:
    with pytest.raises(DataError, match=r"whole number from 1 to 5 in each rated row; row r1 has '9'"):
        rate(worth, ratings=["3", "9"])


def test_a_missing_column_of_ratings_says_how_to_keep_it(rate: Rate) -> None:
    with pytest.raises(DataError, match="rating: must be a column of the rated rows") as raised:
        rate(worth, rating="stars")
    assert "keep: [stars]" in str(raised.value.remedy)


def test_a_key_that_is_refused_is_named(rate: Rate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_JUDGE", "k")
    with pytest.raises(AuthError, match=r"key_from: the endpoint .* refuses the key"):
        rate(lambda _system, _user: (401, {}), key_from="MODELMINT_SECRET_JUDGE")


def test_an_endpoint_inside_the_network_is_not_asked_without_leave(rate: Rate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELMINT_ALLOW_PRIVATE_URLS")
    with pytest.raises(InputError, match="url"):
        rate(worth)


def test_kappa_is_that_of_scikit_learn() -> None:
    dice = np.random.default_rng(5)
    people = dice.integers(1, 6, 200)
    other = np.clip(people + dice.integers(-1, 3, 200), 1, 5)
    found = agreement(people.tolist(), other.tolist(), (1, 5), seed=1)["kappa"]
    assert found["value"] == pytest.approx(cohen_kappa_score(people, other, weights="quadratic"), abs=1e-6)
    assert found["low"] < found["value"] < found["high"]


def test_the_corrected_mean_holds_the_truth_as_often_as_it_says() -> None:
    dice, held = np.random.default_rng(11), 0
    for _ in range(300):
        truth = dice.integers(1, 6, 460)
        its = np.clip(truth + dice.integers(0, 2, 460), 1, 5)
        figure = corrected(its[60:].tolist(), truth[:60].tolist(), its[:60].tolist())
        held += figure["low"] <= 3.0 <= figure["high"]
    assert 0.91 < held / 300 < 0.985
