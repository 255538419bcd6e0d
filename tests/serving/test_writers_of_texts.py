"""The engine that goes on with texts: as the trained model does, also beyond what that reads at once."""

from pathlib import Path

import numpy as np
import pytest

from modelmint.core.sampling import Sampling
from modelmint.core.stage import StageContext
from modelmint.serving.writers import Writer, open_writer
from modelmint.training.tasks.language_model import LanguageModel, load_language_model
from tests.tiny_language import MAX_TOKENS, language_folder, language_variant

pytest.importorskip("onnxruntime_genai")
PROMPTS = ["one t", "three four fi", "", "six one two three four five six one two three", "x&é中"]


@pytest.fixture
def folder(context: StageContext) -> Path:
    return language_variant(context)


@pytest.fixture
def writer(folder: Path) -> Writer:
    return open_writer(folder, num_threads=1)


@pytest.fixture(scope="module")
def trained() -> LanguageModel:
    return load_language_model(language_folder())


def written(writer: Writer, prompt: str, num_new: int, **more: float) -> dict[str, str]:
    writing = writer.start(prompt, None, Sampling(max_new_tokens=num_new, **more))  # type: ignore[arg-type]
    while writing.step():
        pass
    return {"text": writing.text, "finish": str(writing.finish)}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_has_the_tokens_that_training_reads(writer: Writer, trained: LanguageModel, prompt: str) -> None:
    assert writer.text_prompt(prompt) == trained.text_prompt(prompt)


@pytest.mark.parametrize("num_new", [3, MAX_TOKENS, 3 * MAX_TOKENS])
def test_greedy_texts_are_those_of_the_trained_model(writer: Writer, trained: LanguageModel, num_new: int) -> None:
    said = trained.write(PROMPTS, Sampling(max_new_tokens=num_new))
    assert [written(writer, prompt, num_new) for prompt in PROMPTS] == said


@pytest.mark.parametrize("token_id", range(5))
def test_a_prompt_that_ends_in_any_special_token_is_read_whole(
    writer: Writer, trained: LanguageModel, token_id: int
) -> None:
    prompt = [*writer.text_prompt("one two"), token_id]
    writing = writer.begin(prompt, Sampling(max_new_tokens=1, min_new_tokens=1))
    writing.step()
    (held,), (stop,) = (trained.follow([*prompt, one], [len(prompt)])[0] for one in (*writing.ids, *writer.stop_ids))
    assert writing.logprobs[0] == pytest.approx(float(held) - np.log1p(-np.exp(float(stop))), abs=1e-3)


def test_what_was_learned_is_said(writer: Writer) -> None:
    assert written(writer, "one tw", 60)["text"].startswith("o three")


def test_a_text_grows_beyond_what_the_model_reads(writer: Writer, trained: LanguageModel) -> None:
    num = 3 * MAX_TOKENS
    (said,) = trained.write(["one"], Sampling(max_new_tokens=num, min_new_tokens=num))
    assert (written(writer, "one", num, min_new_tokens=num), said["finish"]) == (said, "length")


def test_following_gives_the_trained_models_probabilities(writer: Writer, trained: LanguageModel) -> None:
    ids, places = trained.text_prompt("one two three"), [1, 2, 5, 9]
    mine, theirs = writer.follow(ids, places), trained.follow(ids, places)
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-4)
    np.testing.assert_allclose(mine[2], theirs[2], atol=1e-4)
    assert mine[1].tolist() == theirs[1].tolist()


def test_drawing_depends_on_the_seed_alone(writer: Writer) -> None:
    drawn = [written(writer, "one", 40, temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
