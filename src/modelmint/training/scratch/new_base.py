"""Lay down a model that has learned nothing as a folder, which is then read like any base. Imports PyTorch."""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from modelmint.core import tables
from modelmint.core.errors import InputError
from modelmint.core.forms import contents, form_of
from modelmint.core.types import Dataset
from modelmint.training.learner import Setting
from modelmint.training.scratch.families import (
    LstmConfig,
    LstmEncoder,
    LstmWriter,
    LstmWriterConfig,
    TextCnnConfig,
    TextCnnEncoder,
    register,
)
from modelmint.training.scratch.spec import Lstm, TextCnn, TokenizerSpec, Transformer
from modelmint.training.scratch.tokenizers import ENCODER, WRITER, SpecialTokens, learn_tokenizer, save_tokenizer

TO_READ = TokenizerSpec(name="wordpiece")
"""Of encoders: small pieces of words, in Chinese characters."""
TO_WRITE = TokenizerSpec(name="bpe")
"""Of models that write: every text can be written back as it was."""
INNER = 4  # the inner layer of a block is so many times as wide
INNER_GATED = 8 / 3  # with a gate it has three matrices in place of two; this makes them as many numbers


def new_base(setting: Setting, texts: Iterable[str], folder: Path) -> Path:
    """An encoder of text for these texts: config.json, model.safetensors and tokenizer.json in `folder`.

    Its weights depend on `setting.seed` alone.

    Raises:
        InputError: the architecture is not one for texts, or its sizes do not go together.
        DataError: the texts hold nothing.
    """
    register()
    tokenizer = learn_tokenizer(setting.spec.tokenizer or TO_READ, texts, ENCODER)
    return _written(setting, tokenizer, ENCODER, _new_encoder, folder)


def folder_of(owner: object) -> Path:
    """A new folder that is there as long as `owner` is."""
    folder = Path(tempfile.mkdtemp(prefix="modelmint-base-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def contents_of(dataset: Dataset) -> Iterator[str]:
    """What the rows say, one string a row, whatever their form."""
    form = form_of(dataset)
    for batch in tables.batches(dataset):
        yield from contents(batch, form)


def new_writer(setting: Setting, texts: Iterable[str], folder: Path) -> Path:
    """A causal language model for these texts, as `new_base`."""
    register()
    tokenizer = learn_tokenizer(setting.spec.tokenizer or TO_WRITE, texts, WRITER)
    return _written(setting, tokenizer, WRITER, new_causal, folder)


def _new_encoder(setting: Setting, num_tokens: int) -> Any:
    from transformers import BertConfig, BertModel

    wanted = setting.spec.architecture or Transformer()
    if isinstance(wanted, Lstm):
        _even(wanted)
        return LstmEncoder(
            LstmConfig(vocab_size=num_tokens, hidden_size=wanted.width, num_hidden_layers=wanted.num_layers)
        )
    if isinstance(wanted, TextCnn):
        return TextCnnEncoder(TextCnnConfig(vocab_size=num_tokens, hidden_size=wanted.width, windows=wanted.windows))
    wanted = _checked(wanted)
    return BertModel(
        BertConfig(
            vocab_size=num_tokens,
            hidden_size=wanted.width,
            num_hidden_layers=wanted.num_layers,
            num_attention_heads=wanted.num_heads,
            intermediate_size=INNER * wanted.width,
            max_position_embeddings=setting.knobs.max_tokens,
            pad_token_id=0,
        ),
        add_pooling_layer=False,
    )


def new_causal(setting: Setting, num_tokens: int) -> Any:
    """A model that writes, of the architecture of `setting`, with weights drawn from torch's global generator."""
    from transformers import LlamaConfig, LlamaForCausalLM

    wanted = setting.spec.architecture or Transformer()
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 2}
    if isinstance(wanted, Lstm):
        config = LstmWriterConfig(
            vocab_size=num_tokens, hidden_size=wanted.width, num_hidden_layers=wanted.num_layers, **special
        )
        return LstmWriter(config)
    wanted = _checked(wanted, even_heads=True)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=num_tokens,
            hidden_size=wanted.width,
            num_hidden_layers=wanted.num_layers,
            num_attention_heads=wanted.num_heads,
            intermediate_size=round(INNER_GATED * wanted.width / 8) * 8,
            max_position_embeddings=setting.knobs.max_tokens,
            tie_word_embeddings=True,
            **special,
        )
    )


def _written(setting: Setting, tokenizer: Tokenizer, special: SpecialTokens, make: Any, folder: Path) -> Path:
    from transformers import logging

    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(setting.seed)
        model = make(setting, tokenizer.get_vocab_size())
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model.should_save_on_this_rank = lambda _is_main: True  # of several workers each writes a folder of its own
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, special, folder, setting.knobs.max_tokens)
    return folder


def _checked(wanted: Any, *, even_heads: bool = False) -> Transformer:
    if not isinstance(wanted, Transformer):
        raise InputError(
            f"architecture: must be one that this task can be made of; got {wanted.name}",
            parameter="architecture",
            remedy="`architecture: transformer` is one.",
        )
    per_head, rest = divmod(wanted.width, wanted.num_heads)
    if rest or (even_heads and per_head % 2):
        raise InputError(
            f"architecture.width: must be a multiple of {'twice ' * even_heads}num_heads {wanted.num_heads}; got "
            f"{wanted.width}",
            parameter="architecture",
            remedy=f"Set width to {wanted.num_heads * 64}, for example.",
        )
    return wanted


def _even(wanted: Lstm) -> None:
    if wanted.width % 2:
        raise InputError(
            f"architecture.width: must be even, since half of it reads backwards; got {wanted.width}",
            parameter="architecture",
            remedy=f"Set width to {wanted.width + 1}.",
        )
