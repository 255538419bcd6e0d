"""An encoder-decoder from nothing: small, saved as a Hugging Face folder of the family M2M100. Imports PyTorch.

Of the families that transformers reads, it is the one with norms before each part (which trains without a long
warm-up), sinusoidal positions (nothing to learn, any length) and one embedding for source, target and output.
"""

import math
from typing import Any

from torch import nn

from modelmint.core.errors import InputError
from modelmint.training.scratch.spec import Architecture, Transformer
from modelmint.training.scratch.tokenizers import READER_WRITER

PAD, START, END = (list(READER_WRITER.roles).index(role) for role in ("pad_token", "bos_token", "eos_token"))
FEED_FORWARD = 2
"""The inner width of the feed-forward layers, by the width."""
DEFAULT = Transformer(num_layers=3, width=256, num_heads=4)


def new_seq2seq(architecture: Architecture | None, *, vocabulary_size: int, max_tokens: int, dropout: float) -> Any:
    """A model of transformers with random weights, drawn from torch's global generator.

    Raises:
        InputError: the architecture is none that writes texts, or its heads do not share its width evenly.
    """
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    sizes = _checked(architecture or DEFAULT)
    config = M2M100Config(
        vocab_size=vocabulary_size,
        max_position_embeddings=max_tokens,
        d_model=sizes.width,
        encoder_layers=sizes.num_layers,
        decoder_layers=sizes.num_layers,
        encoder_attention_heads=sizes.num_heads,
        decoder_attention_heads=sizes.num_heads,
        encoder_ffn_dim=FEED_FORWARD * sizes.width,
        decoder_ffn_dim=FEED_FORWARD * sizes.width,
        dropout=dropout,
        attention_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=END,
        decoder_start_token_id=START,
    )
    model = M2M100ForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if name == "model.shared.weight":  # it is multiplied by the root of the width, and so as large as the positions
            nn.init.normal_(weight, std=1 / math.sqrt(sizes.width))
        elif weight.ndim == 2:
            nn.init.xavier_uniform_(weight)
    return model


def _checked(architecture: Architecture) -> Transformer:
    if not isinstance(architecture, Transformer):
        raise InputError(
            f"architecture: must be transformer for texts that are written from texts; got {architecture.name}",
            parameter="architecture",
            remedy="Leave it out, or give `{name: transformer, num_layers: 3, width: 256}`.",
        )
    if architecture.width % (2 * architecture.num_heads):
        raise InputError(
            f"architecture.width: must be a multiple of twice num_heads, {2 * architecture.num_heads}; got "
            f"{architecture.width}",
            parameter="architecture.width",
            remedy=f"Set it to {2 * architecture.num_heads * max(1, architecture.width // (2 * architecture.num_heads))}.",
        )
    return architecture


__all__ = ["END", "PAD", "START", "new_seq2seq"]
