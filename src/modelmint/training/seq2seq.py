"""Models that read one text and write another: from a Hugging Face folder, and written back as one. Imports PyTorch.

Shapes: b rows of a batch, s tokens of its longest source, t tokens of its longest target, v tokens of the vocabulary.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import InputError
from modelmint.training.batches import TokenIds, pad_batch
from modelmint.training.methods.tune import plain, restored
from modelmint.training.methods.tune import save as save_method
from modelmint.training.own_code import trusted
from modelmint.training.scratch.tokenizers import READER_WRITER, save_tokenizer

COPIED = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)
IGNORED = -100
_DROPOUTS = ("dropout", "dropout_rate")


class Seq2SeqModel(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """An encoder-decoder as the loop calls it: source and target in, the loss of each row (b,) out.

    `encoder` is the whole model of transformers: what a tuning method is put to.
    """

    def __init__(self, encoder: Any, *, start_id: int, pad_id: int, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.start_id, self.pad_id, self.label_smoothing = start_id, pad_id, label_smoothing

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, target_ids: Tensor, target_mask: Tensor, *, plain: bool = False
    ) -> Tensor:
        """The sum of the cross entropies of each row's target tokens, in nats.

        Args:
            input_ids: (b, s); attention_mask: (b, s), 0 where there is padding.
            target_ids: (b, t) with the end token; target_mask: (b, t).
            plain: without label smoothing, as validation wants it.
        """
        before_bt = target_ids.roll(1, dims=1)
        before_bt[:, 0] = self.start_id
        logits_btv = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=before_bt, use_cache=False
        ).logits
        labels_bt = target_ids.masked_fill(target_mask == 0, IGNORED)
        loss_bt = functional.cross_entropy(
            logits_btv.float().flatten(0, 1),
            labels_bt.flatten(),
            ignore_index=IGNORED,
            label_smoothing=0.0 if plain else self.label_smoothing,
            reduction="none",
        ).view_as(labels_bt)
        return loss_bt.sum(dim=1)


def pad_pair(sources: TokenIds, targets: TokenIds, pad_id: int, device: torch.device) -> dict[str, Tensor]:
    """What `Seq2SeqModel` reads."""
    target = pad_batch(targets, pad_id, device)
    return {
        **pad_batch(sources, pad_id, device),
        "target_ids": target["input_ids"],
        "target_mask": target["attention_mask"],
    }


def load_seq2seq(folder: Path, *, dropout: float = 0.0) -> Any:
    """The model of a folder in fp32, with what a tuning method laid beside it.

    Raises:
        InputError: it is no encoder-decoder that can be used.
    """
    from transformers import AutoModelForSeq2SeqLM, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = _config(folder)
    try:
        for name in _DROPOUTS:
            if isinstance(getattr(config, name, None), float | int):
                setattr(config, name, dropout)
        model = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="sdpa" if torch.cuda.is_available() else "eager",  # a sixth faster on a CPU
            local_files_only=True,
            trust_remote_code=trusted(folder),
            use_safetensors=True,
        )
    except (ValueError, OSError) as error:
        raise _no_writer(str(error)) from error
    return restored(model, folder)


def save_seq2seq(
    model: Any, tokenizer: Tokenizer, source: Path | None, folder: Path, *, writing: dict[str, Any]
) -> None:
    """Write config, weights, tokenizer and how to write (`writing`: what GenerationConfig knows).

    Equal weights give equal files.
    """
    from transformers import GenerationConfig

    base = save_method(plain(model), folder)
    base.generation_config = GenerationConfig(**writing)
    base.save_pretrained(folder)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if source is None:
        save_tokenizer(tokenizer, READER_WRITER, folder, int(writing["max_length"]) - 1)
        return
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def special_ids(folder: Path) -> dict[str, int]:
    """`start`, `end` and `pad` of a base. One without padding pads with its end: the mask says what is padding.

    Raises:
        InputError: it is no encoder-decoder, or its config names no end token, so that no text would ever end.
    """
    config = _config(folder)
    end, pad, start, begin = (
        _first_id(config, name) for name in ("eos_token_id", "pad_token_id", "decoder_start_token_id", "bos_token_id")
    )
    if end is None:
        raise InputError(
            "base: its config.json must name the token that ends a text, eos_token_id; got none",
            parameter="base",
            remedy="Add eos_token_id to its config.json.",
        )
    pad = end if pad is None else pad
    return {"start": next(one for one in (start, begin, pad) if one is not None), "end": end, "pad": pad}


def _first_id(config: Any, name: str) -> int | None:
    given = getattr(config, name, None)
    return next((one for one in (given if isinstance(given, list) else [given]) if isinstance(one, int)), None)


def losses_of(model: Seq2SeqModel, sources: TokenIds, targets: TokenIds, *, batch_size: int = 64) -> Tensor:
    """(N,) the sum of each row's cross entropies, without smoothing, on the CPU and in the rows' order."""
    model.train(False)
    device = next(model.parameters()).device
    order = sorted(range(len(sources)), key=lambda row: (len(targets[row]), len(sources[row])))
    parts: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = pad_pair([sources[row] for row in rows], [targets[row] for row in rows], model.pad_id, device)
            parts.append(model(**batch, plain=True).float().cpu())
    return torch.cat(parts)[torch.tensor(order).argsort()]


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted(folder))
    except (ValueError, OSError) as error:
        raise _no_writer(str(error)) from error
    if not getattr(config, "is_encoder_decoder", False):
        raise _no_writer(f"{config.model_type} is none")
    return config


def _no_writer(why: str) -> InputError:
    return InputError(
        "base: must be an encoder-decoder that transformers knows, without code of its own; "
        + why.strip().partition("\n")[0][:300],
        parameter="base",
        remedy="Give one of the families T5, BART, M2M100 and the like, or `base: none` to start from nothing.",
    )
