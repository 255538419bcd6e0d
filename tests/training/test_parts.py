"""The parts of the loop: batches, vocabulary, schedule, checkpoints' place, the estimate, the reference classifier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from modelmint.core.errors import InputError
from modelmint.training.batches import bucketed_batches, pad_batch
from modelmint.training.knobs import Knobs
from modelmint.training.optimization import class_weights, learning_rate_factor
from modelmint.training.tasks.text_classification import load_classifier
from modelmint.training.train import TrainOutputs
from modelmint.training.vocabulary import Vocabulary
from tests.tiny_base import questions


def test_batches_hold_every_row_once() -> None:
    batches = bucketed_batches([at % 17 for at in range(103)], 8, 4, seed=1, epoch=2)
    assert sorted(row for batch in batches for row in batch) == list(range(103))


def test_batches_differ_by_epoch_and_repeat_by_seed() -> None:
    lengths = [at % 17 for at in range(103)]
    first, again = bucketed_batches(lengths, 8, 4, 1, 0), bucketed_batches(lengths, 8, 4, 1, 0)
    assert first == again != bucketed_batches(lengths, 8, 4, 1, 1)


def test_rows_of_like_length_are_together() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    spread = [np.ptp(lengths[batch]) for batch in bucketed_batches(lengths.tolist(), 10, 100, 1, 0)]
    assert max(spread) <= 5


def test_padding_is_masked() -> None:
    batch = pad_batch([[5, 6, 7], [8]], pad_id=1, device=torch.device("cpu"))
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    factors = [learning_rate_factor(step, 100, Knobs(warmup=0.1)) for step in range(101)]
    assert factors[9] == max(factors) == 1.0
    assert factors[100] == 0.0


def test_balanced_weights_are_one_on_average_over_rows() -> None:
    weights = class_weights([0, 0, 0, 1], 2)
    assert float(sum(weights[label] for label in (0, 0, 0, 1))) == pytest.approx(4)


def test_a_narrow_vocabulary_keeps_the_padding_id_that_positions_are_counted_from() -> None:
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(0)
    encoder = RobertaModel(
        RobertaConfig(
            vocab_size=50,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=8,
            max_position_embeddings=20,
            pad_token_id=1,
        )
    ).eval()
    rows = [[10, 20, 30], [40]]
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    before = encoder(input_ids=torch.tensor([[10, 20, 30], [40, 1, 1]]), attention_mask=mask).last_hidden_state
    vocabulary = Vocabulary.narrow(encoder, rows)
    ids = pad_batch(vocabulary.encode(rows), vocabulary.pad_id, torch.device("cpu"))["input_ids"]
    torch.testing.assert_close(encoder(input_ids=ids, attention_mask=mask).last_hidden_state, before)
    assert encoder.get_input_embeddings().num_embeddings == 6


def test_the_reference_gives_the_same_logits_in_any_order(learn: Callable[..., TrainOutputs]) -> None:
    classifier = load_classifier(learn(questions(20)).model.files.folder())
    texts = [row["text"] for row in questions(21, seed=5)]
    forwards, backwards = classifier.logits(texts, batch_size=4), classifier.logits(texts[::-1], batch_size=7)
    np.testing.assert_allclose(forwards, backwards[::-1], atol=1e-5)


def test_a_folder_that_no_training_made_is_refused(base: Path) -> None:
    with pytest.raises(InputError, match="the verb `train` made"):
        load_classifier(base)
