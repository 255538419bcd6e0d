"""Sentences of CoNLL files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelmint.core import tables
from modelmint.data.peek import peek

_UNIVERSAL = (
    "# text = Don't bark\n1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_\n"
    "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n2.1\tyou\tyou\tPRON\t_\t_\t_\t_\t3:nsubj\t_\n"
    "3\tbark\tbark\tVERB\tVB\t_\t0\troot\t_\t_\n\n"
)


def test_conll_u_gives_words_and_their_kinds(write: Callable[..., Path], collected: Callable[..., Any]) -> None:
    """Universal Dependencies: ten cells a line, the word second, its kind fourth; contractions and gaps are no words."""
    rows = tables.read(collected(write("a.conllu", _UNIVERSAL * 2)).data).to_pylist()
    assert (rows[0]["tokens"], rows[0]["tags"]) == (["Do", "n't", "bark"], ["AUX", "PART", "VERB"])


def test_peek_shows_the_words_of_conll_u(write: Callable[..., Path]) -> None:
    assert peek(str(write("a.conllu", _UNIVERSAL * 2)))["sample"][0]["tokens"] == ["Do", "n't", "bark"]
