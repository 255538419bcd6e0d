"""Presidio as another engine, where it is installed (the extra ``presidio``): its patterns, in its default languages.

No NLP engine is loaded, since every one of them wants a model from the network: names are left to `data/ner.py`.
Nothing is asked of the network: the list of public suffixes is the one that comes with tldextract.
"""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from modelmint.core.errors import InputError
from modelmint.data.personal.recognizers import Span, resolved

LANGUAGES = ("en", "zh")
ENTITIES = {
    "CREDIT_CARD": "card", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "IP_ADDRESS": "ip", "PHONE_NUMBER": "phone",
    "URL": "url", "DATE_TIME": "date", "PERSON": "person", "LOCATION": "place", "ORGANIZATION": "organisation",
    "US_BANK_NUMBER": "account", "US_PASSPORT": "passport", "ES_PASSPORT": "passport", "IT_PASSPORT": "passport",
    "UK_PASSPORT": "passport", "IN_PASSPORT": "passport", "US_SSN": "id", "US_ITIN": "id", "US_DRIVER_LICENSE": "id",
    "UK_NHS": "id", "UK_NINO": "id", "ES_NIF": "id", "ES_NIE": "id", "IT_FISCAL_CODE": "id", "IT_IDENTITY_CARD": "id",
    "IT_DRIVER_LICENSE": "id", "PL_PESEL": "id", "SG_NRIC_FIN": "id", "IN_PAN": "id", "IN_AADHAAR": "id",
    "AU_TFN": "id", "AU_MEDICARE": "id", "FI_PERSONAL_IDENTITY_CODE": "id", "KR_RRN": "id", "SE_PERSONNUMMER": "id",
}  # fmt: skip
"""What its entities are here; any other is left."""


class Presidio:
    """Presidio's analyzer with its predefined recognizers. Not thread-safe; about 5 ms a text."""

    def __init__(self, language: str = "en", *, min_score: float = 0.35) -> None:
        """Raises InputError where Presidio is not installed.

        Args:
            language: one of `LANGUAGES`.
            min_score: what is less sure is left. Its scores without context words are lower than ours.
        """
        self._analyzer, self._language, self._min_score = _analyzer(), language, min_score

    @property
    def kinds(self) -> frozenset[str]:
        """What its recognizers can find without a model."""
        found = self._analyzer.get_supported_entities(self._language)
        return frozenset(ENTITIES[name] for name in found if name in ENTITIES)

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """(N,) the spans of each text."""
        return [self._find(text) for text in texts]

    def _find(self, text: str) -> list[Span]:
        found = self._analyzer.analyze(text=text, language=self._language, score_threshold=self._min_score)
        return resolved(
            [
                Span(start=one.start, end=one.end, kind=ENTITIES[one.entity_type], score=float(one.score))
                for one in found
                if one.entity_type in ENTITIES
            ]
        )


def presidio_version() -> str:
    """Of the installed Presidio, for the identity of what it found. Raises InputError where there is none."""
    _imported()
    return version("presidio-analyzer")


def _analyzer() -> Any:
    module = _imported()
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    _keep_off_the_network()
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    registry = module.RecognizerRegistry(supported_languages=list(LANGUAGES))
    engine = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "none"} for language in LANGUAGES])
    engine.load()
    registry.load_predefined_recognizers(languages=list(LANGUAGES))
    for recognizer in list(registry.recognizers):
        if "Spacy" in type(recognizer).__name__:  # refused beside an engine that makes no tokens
            registry.recognizers.remove(recognizer)
    return module.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(LANGUAGES))


def _imported() -> Any:
    try:
        import presidio_analyzer
    except ImportError as error:
        raise InputError(
            "engine: presidio is not installed",
            parameter="engine",
            remedy="pip install 'modelmint[presidio]'; or leave `engine` and `also` out: our own recognizers need nothing.",
        ) from error
    return presidio_analyzer


def _keep_off_the_network() -> None:
    import tldextract

    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    tldextract.extract = offline
    tldextract.tldextract.TLD_EXTRACTOR = offline
