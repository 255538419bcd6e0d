"""Texts on which an exported model is compared with the trained one before it goes out.

Shapes: b rows of a batch, t tokens of the longest row.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import StageError

PROBES = (
    "where is my card",
    "",
    "  Two  SPACES, and CAPITALS!  ",
    "我的银行卡在哪里？",
    "emoji 🙂🚀 and numbers 12,345.67",
    "a long text " * 120,
    "<|im_start|>user {{ template }} [MASK] </s>",
)
"""Short, empty, with blanks, Chinese, with pictures, longer than what is read, and with what templates are made of."""
TOLERANCE = 1e-3
"""How far an exported fp32 model's logits may be from PyTorch's, beside the largest of them."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def probe_inputs(folder: Path, max_tokens: int, *, names: Sequence[str], pairs: bool) -> dict[str, Ints]:
    """(b, t) `input_ids`, `attention_mask` and, where it is among `names`, `token_type_ids` of `PROBES`."""
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    given = list(zip(PROBES, PROBES[::-1], strict=True)) if pairs else list(PROBES)
    encodings = tokenizer.encode_batch(given)
    shape = len(encodings), max(1, *(len(one.ids) for one in encodings))
    inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    for row, one in enumerate(encodings):
        inputs["input_ids"][row, : len(one.ids)] = one.ids
        inputs["attention_mask"][row, : len(one.ids)] = 1
        inputs["token_type_ids"][row, : len(one.ids)] = one.type_ids
    if not inputs["attention_mask"][:, 0].all():  # a tokenizer without special tokens reads nothing of an empty text
        inputs["attention_mask"][:, 0] = 1
    return {name: inputs[name] for name in names}


def compare(ours: Floats, theirs: Floats, mask_bt: Ints, form: str) -> dict[str, Any]:
    """How far the exported logits are from the trained model's; padding is not looked at.

    Args:
        ours: (b, l) or (b, t, l).

    Raises:
        StageError: they are further apart than `TOLERANCE`, or no numbers.
    """
    if ours.shape != theirs.shape:
        raise _differs(form, f"logits of shape {theirs.shape} for {ours.shape}")
    if ours.ndim == 3:
        ours, theirs = ours[mask_bt > 0], theirs[mask_bt > 0]
    gap, largest = float(np.abs(ours - theirs).max()), float(max(1.0, np.abs(ours).max()))
    if not np.isfinite(theirs).all() or gap > TOLERANCE * largest:
        raise _differs(form, f"logits that differ by {gap:.2g}, and at most {TOLERANCE * largest:.2g} may be lost")
    same = bool((ours.argmax(-1) == theirs.argmax(-1)).all())
    return {"num_probes": len(PROBES), "agrees_with_pytorch_to": _rounded_up(gap), "same_answers": same}


def _rounded_up(gap: float) -> float:
    """The next power of ten: what a card may promise, and what is the same on every machine."""
    return float(10.0 ** np.ceil(np.log10(max(gap, 1e-6))))


def _differs(form: str, how: str) -> StageError:
    return StageError(
        f"{form}: the exported model must answer as the trained one does; it gave {how}",
        parameter="as",
        remedy="Nothing was written. Export with --as hf, which needs no conversion, and report this.",
    )
