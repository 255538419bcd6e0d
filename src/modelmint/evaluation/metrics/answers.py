"""Metrics of answers cut from a text: exact match and F1 of words, as SQuAD counts them; Chinese by characters.

Answers are compared without case, punctuation and the articles a, an and the (Rajpurkar et al., SQuAD: 100,000+
Questions, 2016). Characters of Chinese, Japanese and Korean are words of their own, as in CMRC 2018's scorer.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.evaluation.significance import Figure
from modelmint.evaluation.sums import of_sums

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_IDEOGRAPHS = re.compile(
    r"[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of answers ``{"answer": text, empty for none}`` and rows with ``answer``, or several right ones in ``answers``.

    Of several right answers the one that fits best counts. To a row that has none, no answer is the right one.

    Returns:
        ``f1`` and ``exact_match``.
    """
    right = right_answers(truth)
    told = [str(answer["answer"] or "") for answer in answers]
    rows = [[best(f1, one, several), best(exact, one, several), 1.0] for one, several in zip(told, right, strict=True)]
    return of_sums(("f1", "exact_match"), np.array(rows), lambda sums: sums[:, :2] / sums[:, 2:], seed=seed)


def right_answers(truth: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    """(N,) the answers of each row that are right; an empty one where it has none."""
    several = truth.get("answers") or [None] * len(truth["answer"])
    return [
        [str(one) for one in many or () if one] or [str(single or "")]
        for many, single in zip(several, truth["answer"], strict=True)
    ]


def best(score: Any, told: str, right: Sequence[str]) -> float:
    """The score of an answer beside the right one that fits it best."""
    return max(float(score(told, one)) for one in right)


def exact(told: str, right: str) -> float:
    """1 where they are the same but for what is not compared."""
    return float(words(told) == words(right))


def f1(told: str, right: str) -> float:
    """F1 of the words of two answers, each as often as it stands there."""
    one, other = words(told), words(right)
    if not one or not other:
        return float(one == other)
    shared = sum((Counter(one) & Counter(other)).values())
    return 2 * shared / (len(one) + len(other))


def words(text: str) -> list[str]:
    """What of an answer is compared."""
    plain = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    return _IDEOGRAPHS.sub(lambda found: f" {found.group()} ", _ARTICLES.sub(" ", plain)).split()


def _is_punctuation(letter: str) -> bool:
    if letter.isascii():
        return letter in string.punctuation
    return unicodedata.category(letter)[0] == "P" and bool(_WIDE.match(letter))


_WIDE = re.compile(r"[\u2018-\u201f\u2026\u3000-\u303f\uff00-\uffef]")
"""Marks of Chinese, and quotation marks. SQuAD strips ASCII alone; a dash of another kind stays, as there."""
