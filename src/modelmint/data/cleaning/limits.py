"""The thresholds of the quality rules: each published figure by the name of its rule, and presets of them."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from modelmint.core.spec import Spec

Preset: TypeAlias = Literal["none", "short", "web"]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
NGRAMS = (2, 3, 4)
LONG_NGRAMS = (5, 6, 7, 8, 9, 10)


class QualityLimits(Spec):
    """A rule with no threshold (null, false) is off. Shares are 0 to 1. A Chinese character counts as one word."""

    min_words: int | None = Field(default=None, ge=0)
    """`gopher_word_count`: the fewest words (Gopher: 50)."""
    max_words: int | None = Field(default=None, ge=1)
    """`gopher_word_count`: the most words (Gopher: 100,000)."""
    min_mean_word_chars: float | None = Field(default=None, ge=0)
    """`gopher_mean_word_length`: the shortest mean word (Gopher: 3). Not for Chinese and Japanese."""
    max_mean_word_chars: float | None = Field(default=None, ge=1)
    """`gopher_mean_word_length`: the longest mean word (Gopher: 10). Not for Chinese and Japanese."""
    max_symbol_ratio: float | None = Field(default=None, ge=0)
    """`gopher_symbol_ratio`: the most hash signs, or ellipses, for each word (Gopher: 0.1)."""
    max_bullet_lines: Share | None = None
    """`gopher_bullet_lines`: the largest share of lines that begin with a bullet (Gopher: 0.9)."""
    max_ellipsis_lines: Share | None = None
    """`gopher_ellipsis_lines`: the largest share of lines that end with an ellipsis (Gopher: 0.3)."""
    min_alphabetic_words: Share | None = None
    """`gopher_alphabetic_words`: the smallest share of words with a letter (Gopher: 0.8)."""
    min_stop_words: int | None = Field(default=None, ge=0)
    """`gopher_stop_words`: how many of the, be, to, of, and, that, have, with must be there (Gopher: 2). For Chinese
    的, 是, 在, 了, 不, 和, 有, 我, 一 (ours); texts in another language pass.
    """
    max_duplicate_lines: Share | None = None
    """`gopher_duplicate_lines`: the largest share of lines that repeat an earlier one (Gopher: 0.3)."""
    max_duplicate_line_chars: Share | None = None
    """`gopher_duplicate_line_chars`: the same by characters (Gopher: 0.2)."""
    max_duplicate_paragraphs: Share | None = None
    """`gopher_duplicate_paragraphs`: the largest share of paragraphs that repeat an earlier one (Gopher: 0.3)."""
    max_duplicate_paragraph_chars: Share | None = None
    """`gopher_duplicate_paragraph_chars`: the same by characters (Gopher: 0.2)."""
    max_top_ngrams: tuple[Share, Share, Share] | None = None
    """`gopher_top_ngram`: the largest share of characters in the most frequent run of 2, 3 and 4 words (Gopher: 0.20,
    0.18, 0.16). For texts of 10 words and more.
    """
    max_duplicate_ngrams: tuple[Share, Share, Share, Share, Share, Share] | None = None
    """`gopher_duplicate_ngrams`: the largest share of characters in runs of 5 to 10 words that stand there before
    (Gopher: 0.15, 0.14, 0.13, 0.12, 0.11, 0.10).
    """
    min_sentences: int | None = Field(default=None, ge=0)
    """`c4_sentences`: the fewest sentences (C4: 5)."""
    lorem_ipsum: bool = False
    """`c4_lorem_ipsum`: take out texts with "lorem ipsum"."""
    curly_brackets: bool = False
    """`c4_curly_brackets`: take out texts with a curly bracket: they are code, not prose."""
    javascript_lines: bool = False
    """`c4_lines`: cut lines that name Javascript, and citation marks such as [1]. Lines are cut in `text-generation`."""
    policy_lines: bool = False
    """`c4_lines`: cut lines on terms of use, privacy policies and cookies."""
    terminal_punctuation: bool = False
    """`c4_lines`: cut lines that do not end with . ! ? or a closing quote (Chinese marks count). FineWeb leaves it out:
    it costs a third of all text.
    """
    min_line_words: int | None = Field(default=None, ge=0)
    """`c4_lines`: cut lines with fewer words (C4: 3)."""
    min_punctuated_lines: Share | None = None
    """`fineweb_punctuated_lines`: the smallest share of lines that end with a mark (FineWeb: 0.12)."""
    max_short_lines: Share | None = None
    """`fineweb_short_lines`: the largest share of lines under 30 characters, 15 in Chinese (FineWeb: 0.67)."""
    max_repeated_line_chars: Share | None = None
    """`fineweb_repeated_lines`: the largest share of characters in repeated lines (FineWeb: 0.1)."""


PRESETS: dict[str, QualityLimits] = {
    "none": QualityLimits(),
    "short": QualityLimits(
        max_mean_word_chars=25,
        max_symbol_ratio=1.0,
        min_alphabetic_words=0.4,
        max_top_ngrams=(0.5, 0.5, 0.5),
        lorem_ipsum=True,
    ),
    "web": QualityLimits(
        min_words=50,
        max_words=100_000,
        min_mean_word_chars=3,
        max_mean_word_chars=10,
        max_symbol_ratio=0.1,
        max_bullet_lines=0.9,
        max_ellipsis_lines=0.3,
        min_alphabetic_words=0.8,
        min_stop_words=2,
        max_duplicate_lines=0.3,
        max_duplicate_line_chars=0.2,
        max_duplicate_paragraphs=0.3,
        max_duplicate_paragraph_chars=0.2,
        max_top_ngrams=(0.20, 0.18, 0.16),
        max_duplicate_ngrams=(0.15, 0.14, 0.13, 0.12, 0.11, 0.10),
        min_sentences=5,
        lorem_ipsum=True,
        curly_brackets=True,
        javascript_lines=True,
        policy_lines=True,
        min_line_words=3,
        min_punctuated_lines=0.12,
        max_short_lines=0.67,
        max_repeated_line_chars=0.1,
    ),
}
"""`short` is ours, for sentences and messages: Gopher's rules, far wider. `web` is FineWeb's recipe (Penedo et al. 2024)."""
