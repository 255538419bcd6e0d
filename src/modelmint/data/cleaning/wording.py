"""What a text is made of, counted so that it holds for Chinese too: words, sentences, lines, paragraphs.

A Chinese character, and a kana, counts as one word: there are no spaces to cut by. Ordinary punctuation that stands
alone is no word.
"""

import re
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelmint.core.language.scripts import HAN

END_MARKS = (".", "!", "?", '"', "'", "”", "’", "。", "！", "？", "…", "」", "』", "︒", "؟", "।")
"""What a sentence ends with; C4 names the first four."""

_UNSPACED = f"{HAN}\u3041-\u30ff\u31f0-\u31ff"
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")
_PUNCTUATION = ".,;:!?\"'()[]{}<>-–—/*`“”‘’«»。，、；：！？（）《》〈〉【】「」『』…·"
_SENTENCE_END = re.compile("[.!?؟।]+[\"'”’)\\]]*(?=\\s|$)|[。！？…︒]+[”’」』）]*")
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")


class Wording:
    """A text and its parts, each counted when it is first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._runs: dict[int, npt.NDArray[np.int64]] = {}

    @cached_property
    def is_spaced(self) -> bool:
        """Whether most words are set off by spaces (not so in Chinese and Japanese)."""
        if self.text.isascii():
            return True
        return len(_HAS_UNSPACED.findall(self.text)) * 2 < len(self.words)

    @cached_property
    def words(self) -> list[str]:
        """Without the punctuation at their ends; a word of symbols stays as it is."""
        found = self.text.split() if self.text.isascii() or not _HAS_UNSPACED.search(self.text) else None
        found = _WORD.findall(self.text) if found is None else found
        bare = [(word.strip(_PUNCTUATION), word) for word in found]
        return [word or whole for word, whole in bare if word or len(whole) > 3]

    @cached_property
    def folded(self) -> list[str]:
        return [word.casefold() for word in self.words]

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(W,) the characters of each word."""
        return np.array([len(word) for word in self.words], np.int64)

    def runs(self, size: int) -> npt.NDArray[np.int64]:
        """(W - size + 1,) a number for the run of `size` words that begins at each word, equal for equal runs."""
        if size not in self._runs:
            if size == 1:
                known: dict[str, int] = {}
                found = np.array([known.setdefault(word, len(known)) for word in self.folded], np.int64)
            else:
                shorter, last = self.runs(size - 1), self.runs(1)[size - 1 :]
                found = np.unique(shorter[: len(last)] * len(self.words) + last, return_inverse=True)[1]
            self._runs[size] = found
        return self._runs[size]

    @cached_property
    def lines(self) -> list[str]:
        """Those that are not blank, without the space around them."""
        return [line for raw in self.text.split("\n") if (line := raw.strip())]

    @cached_property
    def paragraphs(self) -> list[str]:
        return [paragraph for paragraph in _PARAGRAPH.split(self.text.strip()) if paragraph]

    @cached_property
    def num_sentences(self) -> int:
        """Ends of sentences; a last one that no mark ends counts too."""
        ended = len(_SENTENCE_END.findall(self.text))
        tail = self.text.rstrip()
        return ended + (bool(tail) and not tail.endswith(END_MARKS) and ended == 0)
