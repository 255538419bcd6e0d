"""The catalogue of bases: names that are known, with what one must know before choosing one.

Any other base of the hubs, and any local folder, works as well; its licence is then read off its model card.
"""

from dataclasses import dataclass
from typing import Literal

MB = 1_000_000
STARTER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A base by name. `size_bytes` is that of its weights, rounded; `languages` are ISO 639-1 codes."""

    name: str
    where: Literal["starter", "hub"]
    licence: str
    size_bytes: int
    languages: tuple[str, ...]
    max_tokens: int = 512
    tasks: tuple[str, ...] = ("text-classification",)


_MANY = ("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "vi", "zh")

CATALOGUE = {entry.name: entry for entry in (
    Entry(name="starter", where="starter", licence="Apache-2.0", size_bytes=91 * MB, languages=("en",)),
    Entry(name="BAAI/bge-small-en-v1.5", where="hub", licence="MIT", size_bytes=133 * MB, languages=("en",)),
    Entry(name="BAAI/bge-small-zh-v1.5", where="hub", licence="MIT", size_bytes=96 * MB, languages=("zh",)),
    Entry(name="intfloat/multilingual-e5-small", where="hub", licence="MIT", size_bytes=471 * MB, languages=_MANY),
    Entry(name="google-bert/bert-base-uncased", where="hub", licence="Apache-2.0", size_bytes=440 * MB,
          languages=("en",)),
    Entry(name="google-bert/bert-base-chinese", where="hub", licence="Apache-2.0", size_bytes=412 * MB,
          languages=("zh",)),
)}  # fmt: skip
