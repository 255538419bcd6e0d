"""The engine of models that write: it reads and answers as the trained model does, and draws as it is told."""

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from modelmint.core.errors import DataError, InputError, IntegrityError, OverloadError, UnavailableError
from modelmint.core.sampling import Sampling
from modelmint.core.stage import StageContext
from modelmint.serving.scribe import Answer, Scribe
from modelmint.serving.writers import Writer, open_writer
from modelmint.training.tasks.chat_model import ChatModel, load_chat
from tests.tiny_causal import ANSWERS
from tests.tiny_writer import chat_folder, chat_variant

pytest.importorskip("onnxruntime_genai")
COLOURS = [[{"role": "user", "content": colour}] for colour in ANSWERS]
LONG = [{"role": "user", "content": "red " * 200}]


@pytest.fixture
def folder(context: StageContext) -> Path:
    return chat_variant(context)


@pytest.fixture
def writer(folder: Path) -> Writer:
    return open_writer(folder, num_threads=1)


@pytest.fixture(scope="module")
def trained() -> ChatModel:
    return load_chat(chat_folder())


def written(writer: Writer, chat: list[dict[str, str]], **sampling: float) -> str:
    wanted = Sampling(**{"max_new_tokens": 24, **sampling})  # type: ignore[arg-type]
    ids, num_new = writer.prompt(chat, max_new_tokens=wanted.max_new_tokens)
    writing = writer.begin(ids, Sampling(**{**sampling, "max_new_tokens": num_new}))  # type: ignore[arg-type]
    while writing.step():
        pass
    return f"{writing.text}/{writing.finish}"


@pytest.mark.parametrize("chat", [*COLOURS, LONG])
def test_a_prompt_has_the_tokens_that_training_reads(
    writer: Writer, trained: ChatModel, chat: list[dict[str, str]]
) -> None:
    assert writer.prompt(chat, max_new_tokens=24)[0] == trained.prompt(chat, None, max_new_tokens=24)


def test_greedy_answers_are_those_of_the_trained_model(writer: Writer, trained: ChatModel) -> None:
    said = trained.answer(COLOURS, sampling=Sampling(max_new_tokens=24))
    assert [written(writer, chat) for chat in COLOURS] == [f"{one['content']}/{one['finish']}" for one in said]


def test_what_was_learned_is_said(writer: Writer) -> None:
    assert [written(writer, chat) for chat in COLOURS] == [f"{answer}/stop" for answer in ANSWERS.values()]


def test_following_gives_the_trained_models_probabilities(writer: Writer, trained: ChatModel) -> None:
    ids, places = trained.prompt(COLOURS[0], None, max_new_tokens=24), [3, 4, 9]
    mine, theirs = writer.follow(ids, places), trained.follow(ids, places)
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-4)
    np.testing.assert_allclose(mine[2], theirs[2], atol=1e-4)
    assert mine[1].tolist() == theirs[1].tolist()


@pytest.mark.parametrize("name", ["genai-int8", "genai-int4", "genai-int4-mixed"])
def test_fewer_bits_say_what_was_learned(context: StageContext, name: str) -> None:
    writer = open_writer(chat_variant(context, name), num_threads=1)
    assert [written(writer, chat) for chat in COLOURS] == [f"{answer}/stop" for answer in ANSWERS.values()]


def test_equal_models_give_equal_files(context: StageContext) -> None:
    folders = [chat_variant(context, "genai-int4")]
    shutil.move(folders[0], first := folders[0].with_name("first"))
    shutil.rmtree(context.scratch / "files")
    second = chat_variant(context, "genai-int4")
    for file in ("model.onnx", "model.onnx.data", "genai_config.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()


def test_drawing_depends_on_the_seed_alone(writer: Writer) -> None:
    drawn = [written(writer, COLOURS[0], temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_answer_ends_before_the_least_number_of_tokens(writer: Writer) -> None:
    assert len(written(writer, COLOURS[0], min_new_tokens=20, max_new_tokens=20).partition("/")[0]) >= 10


@pytest.mark.parametrize("file", ["genai_config.json", "tokenizer.json"])
def test_a_folder_without_a_file_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(InputError, match=f"{file} is missing"):
        open_writer(folder, num_threads=1)


def test_a_broken_file_is_an_integrity_error(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(IntegrityError, match="cannot open it"):
        open_writer(folder, num_threads=1)


async def told(answer: Answer) -> list[str]:
    return [piece async for piece in answer]


def with_scribe(writer: Writer, steps: object, **limits: int) -> object:
    async def run() -> object:
        scribe = Scribe(writer, **limits)
        try:
            return await steps(scribe)  # type: ignore[operator]
        finally:
            await scribe.close()

    return asyncio.run(run())


def test_answers_at_the_same_time_are_those_of_each_alone(writer: Writer) -> None:
    async def steps(scribe: Scribe) -> list[str]:
        asked = [scribe.answer(chat, None, Sampling(max_new_tokens=24), deadline_s=30) for chat in COLOURS]
        await asyncio.gather(*map(told, asked))
        return [f"{one.text}/{one.finish}" for one in asked]

    assert with_scribe(writer, steps) == [written(writer, chat) for chat in COLOURS]


def test_an_answer_ends_before_a_stop_word_and_sends_none_of_it(writer: Writer) -> None:
    async def steps(scribe: Scribe) -> tuple[str, str]:
        answer = scribe.answer(COLOURS[0], None, Sampling(max_new_tokens=24), stops=["op"], deadline_s=30)
        return "".join(await told(answer)), answer.finish

    said = next(iter(ANSWERS.values()))
    assert with_scribe(writer, steps) == (said.partition("op")[0], "stop")


def test_one_who_asks_too_late_is_turned_away(writer: Writer) -> None:
    async def steps(scribe: Scribe) -> None:
        for _ in range(3):
            scribe.answer(COLOURS[0], None, Sampling(), deadline_s=30)

    with pytest.raises(OverloadError, match="2 answers wait"):
        with_scribe(writer, steps, max_active=1, max_waiting=2)


def test_an_answer_that_is_not_ready_in_time_is_an_error(writer: Writer) -> None:
    async def steps(scribe: Scribe) -> None:
        await told(scribe.answer(COLOURS[0], None, Sampling(min_new_tokens=60, max_new_tokens=60), deadline_s=0.0))

    with pytest.raises(OverloadError, match="not ready within 0 s"):
        with_scribe(writer, steps)


def test_a_chat_that_the_engine_refuses_leaves_the_others_alone(writer: Writer) -> None:
    async def steps(scribe: Scribe) -> str:
        bad = scribe.answer([{"role": "user", "content": 5}], None, Sampling(), deadline_s=30)
        good = scribe.answer(COLOURS[1], None, Sampling(max_new_tokens=24), deadline_s=30)
        with pytest.raises(DataError, match="template"):
            await told(bad)
        return "".join(await told(good))

    assert with_scribe(writer, steps) == list(ANSWERS.values())[1]


def test_who_left_is_written_no_further(writer: Writer) -> None:
    async def steps(scribe: Scribe) -> tuple[bool, str]:
        gone = scribe.answer(COLOURS[0], None, Sampling(min_new_tokens=60, max_new_tokens=60), deadline_s=30)
        gone.leave()
        said = await told(scribe.answer(COLOURS[1], None, Sampling(max_new_tokens=24), deadline_s=30))
        return gone.is_done, "".join(said)

    assert with_scribe(writer, steps) == (False, list(ANSWERS.values())[1])


def test_an_answer_under_way_ends_with_an_error_when_the_server_ends(writer: Writer) -> None:
    left: list[Answer] = []

    async def steps(scribe: Scribe) -> None:
        left.append(scribe.answer(COLOURS[0], None, Sampling(min_new_tokens=60, max_new_tokens=60), deadline_s=30))

    with_scribe(writer, steps)
    with pytest.raises(UnavailableError, match="the server ends"):
        asyncio.run(told(left[0]))
