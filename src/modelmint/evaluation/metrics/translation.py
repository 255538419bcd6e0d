"""Metrics of written texts, as translations and summaries are: BLEU, chrF, ROUGE and the share that is equal.

All of 0 to 100 but `exact_match`, a share. BLEU and chrF are sacreBLEU's, with its signatures
``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`` (``tok:zh`` for Chinese) and ``nrefs:1|case:mixed|eff:yes|nc:6|nw:0``.

Shape legend: N rows, R resamples.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

METRICS = ("bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact_match")
MAX_WORDS = 4
MAX_CHARACTERS = 6
BETA_SQUARED = 4.0  # chrF counts recall twice as much as precision
_BLEU_COLUMNS = 2 + 2 * MAX_WORDS


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``target`` and answers ``{"text", ...}``.

    Where most of the targets are Chinese, words are single characters for BLEU (sacreBLEU's tokenizer ``zh``) and for
    ROUGE. BLEU and chrF are of the whole corpus, from the sums of the rows' counts; ROUGE is the mean of the rows.

    Sources: Papineni et al. 2002 and Post 2018 (BLEU); Popovic 2015 (chrF); Lin 2004 (ROUGE-1, -2 and -L, F1).
    """
    targets, texts = [str(one) for one in truth["target"]], [str(answer["text"]) for answer in answers]
    chinese = is_chinese(targets)
    bleu = _bleu(chinese)
    rows = [
        [
            *_bleu_counts(bleu, text, target),
            *_chrf_counts(text, target),
            rouge_n(text, target, 1, chinese),
            rouge_n(text, target, 2, chinese),
            rouge_l(text, target, chinese),
            float(text.strip() == target.strip()),
            1.0,
        ]
        for text, target in zip(texts, targets, strict=True)
    ]
    return of_sums(METRICS, np.asarray(rows, dtype=np.float64), _combine, seed=seed)


def is_chinese(texts: Sequence[str]) -> bool:
    """More Chinese characters than Latin letters, so that spaces do not cut the texts into words."""
    num_chinese = sum(_is_ideograph(letter) for text in texts for letter in text)
    num_latin = sum(letter.isascii() and letter.isalpha() for text in texts for letter in text)
    return num_chinese > num_latin


def rouge_n(text: str, target: str, size: int, chinese: bool = False) -> float:
    """F1 of the n-grams of `size` words that both have, each as often as both have it, 0 to 100; words as in `rouge_l`.

    Where neither text is long enough to have one, it is 100 if their words are the same.

    Source: Lin, ROUGE: A Package for Automatic Evaluation of Summaries (2004), section 2.
    """
    words = _words(text, chinese), _words(target, chinese)
    ours, theirs = (Counter(zip(*(each[at:] for at in range(size)), strict=False)) for each in words)
    num_both = ours.total() + theirs.total()
    if not num_both:
        return 100.0 if words[0] == words[1] else 0.0
    return 200.0 * (ours & theirs).total() / num_both


def rouge_l(text: str, target: str, chinese: bool = False) -> float:
    """F1 of the longest common subsequence of words (of characters, where they are Chinese), 0 to 100.

    Words are runs of letters and digits in small letters, as in Google's rouge_score, but of any alphabet.

    Source: Lin, ROUGE: A Package for Automatic Evaluation of Summaries (2004), section 3.
    """
    ours, theirs = _words(text, chinese), _words(target, chinese)
    if not ours or not theirs:
        return 100.0 if ours == theirs else 0.0
    return 200.0 * _longest_common(ours, theirs) / (len(ours) + len(theirs))


def _longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, one bit a word: Hyyro, Bit-parallel LCS-length (2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(first)) - 1
    unmatched = full
    for word in second:
        matched = unmatched & places.get(word, 0)
        unmatched = (unmatched + matched | unmatched - matched) & full
    return len(first) - unmatched.bit_count()


def _words(text: str, chinese: bool) -> list[str]:
    found, word = [], ""
    for letter in text.lower():
        single = chinese and _is_ideograph(letter)
        if single or not letter.isalnum():
            found += [word] if word else []
            found += [letter] if single else []
            word = ""
        else:
            word += letter
    return [*found, word] if word else found


def _is_ideograph(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff" or "\uf900" <= letter <= "\ufaff" or "\U00020000" <= letter <= "\U0003ffff"


def _bleu(chinese: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize="zh" if chinese else "13a", force=True)


def _bleu_counts(bleu: Any, text: str, target: str) -> list[float]:
    """Words of the text and of the target, then n-grams that are right and all n-grams, for each n."""
    found = bleu.corpus_score([text], [[target]])
    return [found.sys_len, found.ref_len, *found.counts, *found.totals]


def _chrf_counts(text: str, target: str) -> list[float]:
    """For each n: character n-grams of the text, of the target, and of both. Spaces do not count."""
    ours, theirs = "".join(text.split()), "".join(target.split())
    counts: list[float] = []
    for size in range(1, MAX_CHARACTERS + 1):
        first, second = _pieces(ours, size), _pieces(theirs, size)
        # sacreBLEU counts no n-grams of the text where the target is too short to have any.
        num_first = first.total() if second else 0
        counts += [num_first, second.total(), (first & second).total()]
    return counts


def _pieces(text: str, size: int) -> Counter[str]:
    return Counter(text[at : at + size] for at in range(len(text) - size + 1))


def _combine(sums: Floats) -> Floats:
    """Sums over rows (R, columns) -> the figures (R, 6)."""
    num_rows = sums[:, -1:]
    return np.concatenate(
        [
            _bleu_of(sums[:, :_BLEU_COLUMNS])[:, None],
            _chrf_of(sums[:, _BLEU_COLUMNS:-5])[:, None],
            sums[:, -5:-1] / num_rows,
        ],
        axis=1,
    )


def _bleu_of(sums: Floats) -> Floats:
    """(R,) BLEU with exponential smoothing: the k-th order without a match counts as 1/2^k of one."""
    lengths, right, all_of = sums[:, :2], sums[:, 2 : 2 + MAX_WORDS], sums[:, 2 + MAX_WORDS :]
    has_none = right == 0
    smoothed = np.where(has_none, 0.5 ** np.cumsum(has_none, axis=1), right)
    precisions = smoothed / np.maximum(all_of, 1)
    usable = (right.sum(axis=1) > 0) & (all_of > 0).all(axis=1)
    shortness = np.exp(np.minimum(0, 1 - lengths[:, 1] / np.maximum(lengths[:, 0], 1)))
    return np.where(usable, 100 * shortness * np.exp(np.log(precisions).mean(axis=1)), 0.0)


def _chrf_of(sums: Floats) -> Floats:
    """(R,) chrF2: the mean precision and the mean recall over the sizes that both have, then their F."""
    ours, theirs, both = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    counted = (ours > 0) & (theirs > 0)
    num = np.maximum(counted.sum(axis=1), 1)
    precision = np.where(counted, both / np.maximum(ours, 1), 0).sum(axis=1) / num
    recall = np.where(counted, both / np.maximum(theirs, 1), 0).sum(axis=1) / num
    below = BETA_SQUARED * precision + recall
    return np.asarray(100 * (1 + BETA_SQUARED) * precision * recall / np.where(below > 0, below, 1))
