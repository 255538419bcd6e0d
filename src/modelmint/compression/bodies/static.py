"""A static student: the base's own token vectors, fewer numbers each, and a mean. Imports PyTorch.

It begins as the token vectors of the trained model, turned by PCA to fewer numbers and weighed by how rare a token is
(SIF), so that the mean says something before anything is learned.

Source: Arora et al. (2017); van Dongen and Tulkens, Model2Vec (2024).

Shapes: v tokens, d width of the base, k width of the student.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from modelmint.core.errors import InputError
from modelmint.training.batches import open_tokenizer
from modelmint.training.encoders import copy_tokenizer, load_encoder
from modelmint.training.scratch.static import StaticConfig, StaticEncoder

SIF = 1e-3
WIDTH, NUM_PAIRS = 256, 1 << 14


def write_static(folder: Path, texts: Sequence[str], output: Path, *, max_tokens: int) -> None:
    """A folder of a static encoder with the tokenizer of `folder`, and no head yet.

    Raises:
        InputError: the encoder has no vector a token.
    """
    encoder = load_encoder(folder)
    vectors_vd = encoder.get_input_embeddings().weight.detach().float()
    if vectors_vd.dim() != 2:
        raise InputError(
            f"try: `static` begins with a vector a token; {encoder.config.model_type} has none",
            parameter="try",
            remedy="Leave `static` out of compress.try for this model.",
        )
    weight_v = _sif(open_tokenizer(folder, max_tokens)(texts), len(vectors_vd))
    turned_vk = _principal(vectors_vd, min(WIDTH, vectors_vd.shape[1])) * weight_v[:, None]
    config = StaticConfig(
        vocab_size=len(turned_vk),
        hidden_size=turned_vk.shape[1],
        num_pairs=NUM_PAIRS,
        pad_token_id=int(encoder.config.pad_token_id or 0),
    )
    student = StaticEncoder(config)
    with torch.no_grad():
        student.word_embeddings.weight.copy_(turned_vk)
        student.pair_embeddings.weight.zero_()
    output.mkdir(parents=True)
    student.save_pretrained(output)
    copy_tokenizer(folder, output)


def _sif(rows: Sequence[Sequence[int]], num_tokens: int) -> Tensor:
    """(v,) a / (a + p) by the share p of a token, 1 on average in the texts; one that no text has is as rare as one that
    occurs once.
    """
    counts = Counter(token_id for row in rows for token_id in row)
    count_v = torch.tensor([counts[token_id] for token_id in range(num_tokens)], dtype=torch.float32)
    share_v = count_v / count_v.sum().clamp(min=1)
    weight_v = SIF / (SIF + share_v.clamp(min=1 / max(1, counts.total())))
    return weight_v / (weight_v * share_v).sum().clamp(min=SIF)


def _principal(vectors_vd: Tensor, width: int) -> Tensor:
    """(v, k) the vectors less their mean, along the directions in which they differ most, at a length of about 1."""
    centred_vd = vectors_vd - vectors_vd.mean(dim=0)
    _values, directions_dd = torch.linalg.eigh(centred_vd.double().T @ centred_vd.double())
    turned_vk = centred_vd.double() @ directions_dd.flip(1)[:, :width]
    return (turned_vk / turned_vk.norm(dim=1).mean().clamp(min=1e-12)).float()
