"""The rules of cleaning that change a cell: what each does, for which form of rows, in which order."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from modelmint.core.forms import Form
from modelmint.core.text import mend_encoding, one_line, tidy_lines, without_invisible
from modelmint.data.cleaning.limits import QualityLimits
from modelmint.data.cleaning.markup import page_text, strip_markup
from modelmint.data.cleaning.quality import C4
from modelmint.data.cleaning.tally import Rule
from modelmint.data.cleaning.wording import END_MARKS, Wording
from modelmint.data.expressions import compile_expression
from modelmint.data.sources.extras import need_library

ONE_LINE = (
    "text-classification",
    "text-pair-classification",
    "multi-label-classification",
    "text-regression",
    "tabular-classification",
    "tabular-regression",
)
"""Forms whose texts are one line; the others keep line breaks and indentation (code, verse, turns of a chat)."""
LEFT_ALONE = {
    "token-classification": "The tokens are left as they are: each has a tag. Rules see the sentence that they make.",
    "image-classification": "Images are compared by their bytes; no rule on text applies.",
    "audio-classification": "Recordings are compared by their bytes; no rule on text applies.",
    "recommendation": "Users and items are names, which are left as they are; rows of one pair are copies.",
}


@dataclass(frozen=True, kw_only=True)
class Mend:
    """A rule that changes cells; `change` takes one cell's text."""

    rule: Rule
    change: Callable[[str], str]


def mojibake() -> Mend:
    """``cafÃ©`` becomes ``café``."""
    return _mend("mojibake", "text decoded with the wrong encoding", mend_encoding, "ftfy (Speer 2019)")


def html(how: str) -> Mend:
    """Markup taken off: ``strip`` or ``page``."""
    if how == "page":
        need_library("trafilatura", "lxml", extra="documents", what="html: page")
        return _mend("html_page", "menus, footers and tags of web pages", page_text, "trafilatura (Barbaresi 2021)")
    return _mend("html_tags", "tags, scripts and entities of HTML", strip_markup)


def c4_lines(limits: QualityLimits, form: Form) -> Mend | None:
    """C4's rules on lines, for `text-generation` alone: elsewhere a line is part of an answer."""
    on = limits.javascript_lines or limits.policy_lines or limits.terminal_punctuation or limits.min_line_words
    if not on or form.task != "text-generation":
        return None
    return _mend("c4_lines", "boilerplate lines", lambda text: _c4(text, limits), C4)


def replacement(name: str, pattern: str, by: str) -> Mend:
    """A user's pattern and what stands in its place."""
    expression = compile_expression(pattern, parameter=f"patterns.{name}", may_be_empty=False)
    return _mend(name, f"what matches {pattern}", lambda text: expression.replace(text, by))


def invisible() -> Mend:
    """Control characters, zero-width characters, direction marks."""
    return _mend("invisible", "control and zero-width characters", without_invisible)


def normal_form(kind: str) -> Mend:
    """NFC or NFKC (full-width letters, ligatures)."""

    def change(text: str) -> str:
        return text if text.isascii() else unicodedata.normalize(kind, text)  # type: ignore[arg-type]

    return _mend("normal_form", f"Unicode normal form {kind}", change, "Unicode Standard Annex 15")


def white_space(layout: str, form: Form) -> Mend:
    """One line, or lines whose breaks and indentation stay."""
    one = layout == "line" or (layout == "auto" and form.task in ONE_LINE)
    about = "runs of white space" if one else "spaces at the ends of lines, many blank lines"
    return _mend("white_space", about, one_line if one else tidy_lines)


def _mend(name: str, about: str, change: Callable[[str], str], source: str = "") -> Mend:
    return Mend(rule=Rule(name=name, kind="changes", about=about, source=source), change=change)


def _c4(text: str, limits: QualityLimits) -> str:
    kept = [line for line in text.split("\n") if not line.strip() or not _boilerplate(line, limits)]
    joined = "\n".join(kept)
    return _CITATION.sub("", joined) if limits.javascript_lines else joined


def _boilerplate(line: str, limits: QualityLimits) -> bool:
    folded = line.casefold()
    if limits.javascript_lines and "javascript" in folded:
        return True
    if limits.policy_lines and any(phrase in folded for phrase in _POLICIES):
        return True
    if limits.min_line_words and len(Wording(line[:_LINE_CHARS]).words) < limits.min_line_words:
        return True
    return limits.terminal_punctuation and not line.rstrip().endswith(END_MARKS)


_LINE_CHARS = 400  # enough to see that a line has more than a few words
_CITATION = re.compile(r"\[\d{1,3}\]|\[citation needed\]|\[edit\]")
_POLICIES = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
    "隐私政策", "隐私权政策", "使用条款", "版权所有",
)  # fmt: skip
