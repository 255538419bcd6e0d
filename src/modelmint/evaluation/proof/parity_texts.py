"""What a language model is asked in parity: beginnings of texts, cut out of the test rows, and odd ones."""

from typing import TYPE_CHECKING

import numpy as np

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.evaluation.proof.adversarial import adversarial
from modelmint.evaluation.proof.chat_facts import MAX_CHATS, Asked
from modelmint.evaluation.proof.tokenization import special_tokens

if TYPE_CHECKING:
    from modelmint.evaluation.parity import ParityInputs, ParitySpec

MAX_PROMPT_CHARACTERS = 1_000
"""Of a beginning; the odd ones are longer."""


def asked_texts(spec: "ParitySpec", inputs: "ParityInputs", seed: int) -> Asked:
    """At most `MAX_CHATS` beginnings: of each text one that ends at a place chosen by the seed, where there are fewer
    texts also parts from their midst.

    Raises:
        DataError: the test set holds no texts.
    """
    names = tables.column_names(inputs.test)
    found = tables.read(inputs.test, ["_row", "text"]).to_pylist() if "text" in names else []
    rows = [row for row in found if row["text"]]
    if not rows:
        raise DataError(
            f"test: must hold texts; got {'none that is not empty' if found else 'no column text or no rows'}",
            parameter="test",
            remedy="Split the same rows that the model was trained on, with a share for the test.",
        )
    dice, limit = np.random.default_rng(seed), min(spec.num_rows, MAX_CHATS)
    order = np.sort(dice.permutation(len(rows))[:limit]).tolist()
    prompts: dict[str, str] = {}
    for turn in range(-(-limit // len(order))):
        for at in order:
            text = str(rows[at]["text"])
            begin = int(dice.integers(len(text))) if turn else 0
            most = min(len(text) - begin, MAX_PROMPT_CHARACTERS)
            end = begin + int(dice.integers(1, most + 1))
            if len(prompts) < limit:
                prompts.setdefault(text[begin:end], str(rows[at]["_row"]))
    odd = adversarial(
        list(prompts),
        num_rows=min(spec.adversarial_rows, MAX_CHATS),
        max_tokens=int(inputs.model.facts["max_tokens"]),
        max_characters=MAX_TEXT_CHARACTERS,
        seed=seed,
        markers=special_tokens(inputs.model.files.folder()),
    )
    return Asked(
        ids=[*prompts.values(), *("" for _ in odd)],
        chats=[*prompts, *(str(one.given) for one in odd)],
        tools=[None] * (len(prompts) + len(odd)),
        kinds=[*("" for _ in prompts), *(one.kind for one in odd)],
    )
