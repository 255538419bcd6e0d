"""The published rules for the quality of texts, each under its own name.

Gopher: Rae et al. 2021, Scaling Language Models, arXiv 2112.11446, A.1.1 (quality and repetition). C4: Raffel et al.
2020, JMLR 21/140, 2.2. FineWeb: Penedo et al. 2024, arXiv 2406.17557, 3.6. They were made for long web pages: a rule
says nothing about a text that is too short for it. Counting is ours where they count by spaces (`wording`); characters
of repeated runs are counted once where runs overlap.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from modelmint.data.cleaning.limits import LONG_NGRAMS, NGRAMS, QualityLimits
from modelmint.data.cleaning.wording import END_MARKS, Wording

GOPHER, C4, FINEWEB = "Rae et al. 2021 (Gopher)", "Raffel et al. 2020 (C4)", "Penedo et al. 2024 (FineWeb)"
MIN_NGRAM_WORDS = 10
MAX_CHARS = 200_000
"""How much of a text is looked at."""

Fails = Callable[[Wording, QualityLimits], str | None]


@dataclass(frozen=True, kw_only=True)
class QualityRule:
    """One rule. `fails` says in words why a text fails it, or nothing."""

    name: str
    about: str
    source: str
    thresholds: tuple[str, ...]
    """Fields of `QualityLimits`; the rule is on where one of them is set."""
    fails: Fails

    def is_on(self, limits: QualityLimits) -> bool:
        return any(getattr(limits, name) not in (None, False) for name in self.thresholds)


def first_failed(text: str, rules: tuple[QualityRule, ...], limits: QualityLimits) -> tuple[str, str] | None:
    """The first rule that a text fails and why, or None; an empty text passes."""
    wording = Wording(text[:MAX_CHARS])
    if not wording.words:
        return None
    for rule in rules:
        if why := rule.fails(wording, limits):
            return rule.name, why
    return None


def _word_count(wording: Wording, limits: QualityLimits) -> str | None:
    number = len(wording.words)
    if limits.min_words is not None and number < limits.min_words:
        return f"{number:,} words; at least {limits.min_words:,}"
    if limits.max_words is not None and number > limits.max_words:
        return f"{number:,} words; at most {limits.max_words:,}"
    return None


def _mean_word_length(wording: Wording, limits: QualityLimits) -> str | None:
    if not wording.is_spaced:
        return None
    mean = sum(map(len, wording.words)) / len(wording.words)
    if limits.min_mean_word_chars is not None and mean < limits.min_mean_word_chars:
        return f"words of {mean:.1f} characters on average; at least {limits.min_mean_word_chars:g}"
    if limits.max_mean_word_chars is not None and mean > limits.max_mean_word_chars:
        return f"words of {mean:.1f} characters on average; at most {limits.max_mean_word_chars:g}"
    return None


def _symbol_ratio(wording: Wording, limits: QualityLimits) -> str | None:
    hashes = wording.text.count("#") + wording.text.count("＃")
    ellipses = wording.text.count("...") + wording.text.count("…")
    ratio = max(hashes, ellipses) / len(wording.words)
    return _over(ratio, limits.max_symbol_ratio, "hash signs or ellipses for each word")


def _bullet_lines(wording: Wording, limits: QualityLimits) -> str | None:
    share = sum(line.startswith(_BULLETS) for line in wording.lines) / len(wording.lines)
    return _over(share, limits.max_bullet_lines, "of the lines begin with a bullet")


def _ellipsis_lines(wording: Wording, limits: QualityLimits) -> str | None:
    share = sum(line.endswith(("...", "…")) for line in wording.lines) / len(wording.lines)
    return _over(share, limits.max_ellipsis_lines, "of the lines end with an ellipsis")


def _alphabetic_words(wording: Wording, limits: QualityLimits) -> str | None:
    share = sum(word.isalpha() or any(map(str.isalpha, word)) for word in wording.words) / len(wording.words)
    return _under(share, limits.min_alphabetic_words, "of the words have a letter")


def _stop_words(wording: Wording, limits: QualityLimits) -> str | None:
    from modelmint.core.language.languages import language_of, primary

    known = set(wording.folded)
    least = limits.min_stop_words or 0
    if len(known & _STOP_WORDS["zh" if not wording.is_spaced else "en"]) >= least:
        return None
    language = primary(language_of(wording.text)[0])
    number = len(known & _STOP_WORDS.get(language, set()))
    if language not in _STOP_WORDS or number >= least:
        return None
    return f"{number} of the common words of {language}; at least {least}"


def _duplicate_lines(wording: Wording, limits: QualityLimits) -> str | None:
    return _over(_repeated(wording.lines)[0], limits.max_duplicate_lines, "of the lines repeat an earlier one")


def _duplicate_line_chars(wording: Wording, limits: QualityLimits) -> str | None:
    share = _repeated(wording.lines)[1]
    return _over(share, limits.max_duplicate_line_chars, "of the characters stand in repeated lines")


def _duplicate_paragraphs(wording: Wording, limits: QualityLimits) -> str | None:
    share = _repeated(wording.paragraphs)[0]
    return _over(share, limits.max_duplicate_paragraphs, "of the paragraphs repeat an earlier one")


def _duplicate_paragraph_chars(wording: Wording, limits: QualityLimits) -> str | None:
    share = _repeated(wording.paragraphs)[1]
    return _over(share, limits.max_duplicate_paragraph_chars, "of the characters stand in repeated paragraphs")


def _top_ngram(wording: Wording, limits: QualityLimits) -> str | None:
    if limits.max_top_ngrams is None or not _repeats_words(wording):
        return None
    lengths, words = wording.lengths, wording.folded
    number = max(Counter(pairwise(words)).values())
    longest = max(len(word) for word, count in Counter(words).items() if count > 1)
    if number == 1 or number * NGRAMS[-1] * longest <= min(limits.max_top_ngrams) * lengths.sum():
        return None  # a longer run is no more frequent, and has frequent words alone: none can take up so much
    for size, most in zip(NGRAMS, limits.max_top_ngrams, strict=True):
        _, first, counts = np.unique(wording.runs(size), return_index=True, return_counts=True)
        number = int(counts.max())
        if number == 1:
            return None
        at, num_chars = max(
            ((int(place), int(lengths[place : place + size].sum())) for place in first[counts == number]),
            key=lambda found: found[1],
        )
        run = " ".join(words[at : at + size])
        if why := _over(number * num_chars / lengths.sum(), most, f'of the characters stand in "{run}"'):
            return why
    return None


def _duplicate_ngrams(wording: Wording, limits: QualityLimits) -> str | None:
    if limits.max_duplicate_ngrams is None or not _repeats_words(wording):
        return None
    shortest = [wording.folded[start:] for start in range(LONG_NGRAMS[0])]
    if len(set(zip(*shortest, strict=False))) == len(shortest[-1]):
        return None  # the shortest run is not repeated, so no longer one is
    for size, most in zip(LONG_NGRAMS, limits.max_duplicate_ngrams, strict=True):
        if size > len(wording.words):
            return None
        runs = wording.runs(size)
        _, first, of_run = np.unique(runs, return_index=True, return_inverse=True)
        starts = np.flatnonzero(first[of_run] < np.arange(len(runs)))
        if not len(starts):
            return None
        covered = np.zeros(len(wording.words), np.bool_)
        for offset in range(size):
            covered[starts + offset] = True
        share = wording.lengths[covered].sum() / wording.lengths.sum()
        if why := _over(share, most, f"of the characters stand in repeated runs of {size} words"):
            return why
    return None


def _repeats_words(wording: Wording) -> bool:
    return len(wording.words) >= MIN_NGRAM_WORDS and len(set(wording.folded)) < len(wording.folded)


def _sentences(wording: Wording, limits: QualityLimits) -> str | None:
    if limits.min_sentences is None or wording.num_sentences >= limits.min_sentences:
        return None
    return f"{wording.num_sentences} sentences; at least {limits.min_sentences}"


def _lorem_ipsum(wording: Wording, _limits: QualityLimits) -> str | None:
    return "lorem ipsum" if "lorem ipsum" in wording.text.casefold() else None


def _curly_brackets(wording: Wording, _limits: QualityLimits) -> str | None:
    return "a curly bracket" if "{" in wording.text or "}" in wording.text else None


def _punctuated_lines(wording: Wording, limits: QualityLimits) -> str | None:
    share = sum(line.endswith(END_MARKS) for line in wording.lines) / len(wording.lines)
    return _under(share, limits.min_punctuated_lines, "of the lines end with a mark")


def _short_lines(wording: Wording, limits: QualityLimits) -> str | None:
    least = 30 if wording.is_spaced else 15
    share = sum(len(line) < least for line in wording.lines) / len(wording.lines)
    return _over(share, limits.max_short_lines, f"of the lines have fewer than {least} characters")


def _repeated_lines(wording: Wording, limits: QualityLimits) -> str | None:
    share = _repeated(wording.lines)[1]
    return _over(share, limits.max_repeated_line_chars, "of the characters stand in repeated lines")


def _repeated(parts: list[str]) -> tuple[float, float]:
    """The share of parts, and of their characters, that repeat an earlier part."""
    seen: set[str] = set()
    num_repeated = num_chars = 0
    for part in parts:
        if part in seen:
            num_repeated += 1
            num_chars += len(part)
        seen.add(part)
    return num_repeated / len(parts), num_chars / sum(map(len, parts))


def _over(value: float, most: float | None, of_what: str) -> str | None:
    return f"{value:.2f} {of_what}; at most {most:g}" if most is not None and value > most else None


def _under(value: float, least: float | None, of_what: str) -> str | None:
    return f"{value:.2f} {of_what}; at least {least:g}" if least is not None and value < least else None


_BULLETS = ("•", "‣", "◦", "▪", "●", "·", "- ", "* ", "– ")
_STOP_WORDS = {
    "en": {"the", "be", "to", "of", "and", "that", "have", "with"},
    "zh": set("的是在了不和有我一"),
}


def _rule(name: str, about: str, fails: Fails, *thresholds: str) -> QualityRule:
    source = {"g": GOPHER, "c": C4, "f": FINEWEB}[name[0]]
    return QualityRule(name=name, about=about, source=source, thresholds=thresholds, fails=fails)


RULES = (
    _rule("gopher_word_count", "too few or too many words", _word_count, "min_words", "max_words"),
    _rule("gopher_mean_word_length", "words too short or too long on average", _mean_word_length,
          "min_mean_word_chars", "max_mean_word_chars"),
    _rule("gopher_symbol_ratio", "many hash signs or ellipses", _symbol_ratio, "max_symbol_ratio"),
    _rule("gopher_bullet_lines", "a list of bullets", _bullet_lines, "max_bullet_lines"),
    _rule("gopher_ellipsis_lines", "lines that break off", _ellipsis_lines, "max_ellipsis_lines"),
    _rule("gopher_alphabetic_words", "words without letters", _alphabetic_words, "min_alphabetic_words"),
    _rule("gopher_duplicate_lines", "repeated lines", _duplicate_lines, "max_duplicate_lines"),
    _rule("gopher_duplicate_line_chars", "much text in repeated lines", _duplicate_line_chars,
          "max_duplicate_line_chars"),
    _rule("gopher_duplicate_paragraphs", "repeated paragraphs", _duplicate_paragraphs, "max_duplicate_paragraphs"),
    _rule("gopher_duplicate_paragraph_chars", "much text in repeated paragraphs", _duplicate_paragraph_chars,
          "max_duplicate_paragraph_chars"),
    _rule("gopher_top_ngram", "one phrase over and over", _top_ngram, "max_top_ngrams"),
    _rule("gopher_duplicate_ngrams", "repeated phrases", _duplicate_ngrams, "max_duplicate_ngrams"),
    _rule("c4_sentences", "too few sentences", _sentences, "min_sentences"),
    _rule("c4_lorem_ipsum", "placeholder text", _lorem_ipsum, "lorem_ipsum"),
    _rule("c4_curly_brackets", "code instead of prose", _curly_brackets, "curly_brackets"),
    _rule("fineweb_punctuated_lines", "lines that end without a mark", _punctuated_lines, "min_punctuated_lines"),
    _rule("fineweb_short_lines", "short lines", _short_lines, "max_short_lines"),
    _rule("fineweb_repeated_lines", "much text in repeated lines", _repeated_lines, "max_repeated_line_chars"),
    _rule("gopher_stop_words", "none of a language's common words", _stop_words, "min_stop_words"),
)  # fmt: skip
"""In the order in which they are asked; the last is the dearest."""
