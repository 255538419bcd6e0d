"""What cleaning is asked to do: the spec of `clean`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from modelmint.core.errors import InputError
from modelmint.core.spec import Spec
from modelmint.data.cleaning.limits import PRESETS, Preset, QualityLimits
from modelmint.data.expressions import compile_expression

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class TextPattern(Spec):
    """A rule of your own: a regular expression of RE2 that is looked for in every text."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    """What the report and the quarantine call it."""
    pattern: Annotated[str, StringConstraints(min_length=1)]
    """RE2 syntax; `(?i)` for any case, `(?m)` for lines. In a table a row reads as `name=value` cells."""
    action: Literal["drop", "require", "replace"] = "drop"
    """Take out rows where it is found, or those where it is not, or put `by` in its place."""
    by: str = ""
    """What stands in its place with `action: replace`, as it is written."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            compile_expression(self.pattern, parameter="pattern", may_be_empty=self.action != "replace")
        except InputError as error:
            raise ValueError(str(error)) from error
        return self


class CleanSpec(Spec):
    """Mend texts, filter them, and drop exact duplicates. Declared evaluation rows are never dropped, but counted."""

    mojibake: bool = True
    """Mend text that was decoded with the wrong encoding."""
    html: Literal["keep", "strip", "page"] = "keep"
    """Leave HTML as it is, take tags, scripts and entities off, or take the main text out of whole web pages."""
    normal_form: Literal["NFC", "NFKC"] = "NFC"
    """The Unicode normal form that is stored; NFKC also makes full-width letters and ligatures plain."""
    layout: Literal["auto", "line", "lines"] = "auto"
    """Make every text one line, or keep line breaks and indentation; auto: one line for texts, pairs and tables."""
    casefold: bool = True
    """Count texts that differ only in case as duplicates (the stored text keeps its case)."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Whether a training row with the text and label of an earlier one is dropped."""
    conflicts: Literal["drop", "majority", "keep"] = "drop"
    """Training rows with one text and different labels: drop all, keep one of the majority's label, or keep all."""
    min_chars: int | None = Field(default=None, ge=1)
    """Drop rows with fewer characters."""
    max_chars: int | None = Field(default=None, ge=1)
    """Drop rows with more characters."""
    links_only: Literal["keep", "drop"] = "keep"
    """What becomes of rows that are links and e-mail addresses and nothing else."""
    languages: tuple[Language, ...] = ()
    """Keep these languages alone (BCP 47: en, zh, zh-Hans); empty keeps all. Texts too short to tell are kept."""
    min_language_confidence: float = Field(default=0.8, ge=0.5, le=1)
    """How sure it must be that a row is in another language before it is dropped."""
    quality: Preset = "none"
    """Published quality rules: none, `short` (wide ones, for sentences and messages) or `web` (Gopher, C4 and FineWeb,
    for long texts).
    """
    limits: QualityLimits = QualityLimits()
    """Single thresholds over those of `quality`; null switches a rule off."""
    bad_words: str | None = Field(default=None, min_length=1, json_schema_extra={"path": True})
    """A text file with one word or phrase a line: rows with one of them are dropped (`c4_bad_words`)."""
    patterns: tuple[TextPattern, ...] = Field(default=(), max_length=100)
    """Rules of your own; {name: expression} stands for rules that drop."""
    max_missing: float | None = Field(default=None, ge=0, le=1)
    """Drop rows of a table of whose cells a larger share is missing."""
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "null", "None", "?", "-")
    """Cells of a table that count as missing, in any case."""
    null_missing: bool = False
    """Whether such cells are stored as null."""
    max_removed: float | None = Field(default=None, ge=0, le=1)
    """Refuse when a larger share of the rows is taken out."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, given: Any) -> Any:
        """Write the preset's thresholds into `limits`, so that the identity says what was asked."""
        if not isinstance(given, dict) or given.get("quality", "none") not in PRESETS:
            return given
        limits = given.get("limits", {})
        if isinstance(limits, QualityLimits):
            limits = limits.model_dump(include=limits.model_fields_set)
        if not isinstance(limits, dict):
            return given
        return {**given, "limits": {**PRESETS[given.get("quality", "none")].model_dump(), **limits}}

    @field_validator("patterns", mode="before")
    @classmethod
    def _by_name(cls, patterns: Any) -> Any:
        if not isinstance(patterns, dict):
            return patterns
        return [{"name": name, "pattern": pattern} for name, pattern in patterns.items()]

    @field_validator("patterns")
    @classmethod
    def _names(cls, patterns: tuple[TextPattern, ...]) -> tuple[TextPattern, ...]:
        names = [pattern.name for pattern in patterns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"patterns must have names of their own; {', '.join(twice)} is there twice")
        return patterns
