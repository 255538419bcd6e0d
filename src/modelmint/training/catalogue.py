"""The catalogue of bases: names that are known, with what one must know before choosing one.

Any other base of the hubs, and any local folder, works as well; its licence is then read off its model card.
"""

from dataclasses import dataclass
from typing import Literal

MB = 1_000_000
STARTER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


Kind = Literal["encoder", "decoder", "seq2seq", "image"]
"""What a base does: reads texts, writes them, reads one and writes another, or looks at images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A base by name. `size_bytes` is that of its weights, rounded; `languages` are ISO 639-1 codes, none of images.

    `num_layers` and `hidden_size` say how much it computes for a token.
    """

    name: str
    where: Literal["starter", "hub"]
    licence: str
    size_bytes: int
    languages: tuple[str, ...]
    num_layers: int
    hidden_size: int
    max_tokens: int = 512
    kind: Kind = "encoder"


_MANY = ("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "vi", "zh")

CATALOGUE = {entry.name: entry for entry in (
    Entry(name="starter", where="starter", licence="Apache-2.0", size_bytes=91 * MB, languages=("en",), num_layers=6,
          hidden_size=384),
    Entry(name="BAAI/bge-small-en-v1.5", where="hub", licence="MIT", size_bytes=133 * MB, languages=("en",),
          num_layers=12, hidden_size=384),
    Entry(name="BAAI/bge-small-zh-v1.5", where="hub", licence="MIT", size_bytes=96 * MB, languages=("zh",),
          num_layers=4, hidden_size=512),
    Entry(name="intfloat/multilingual-e5-small", where="hub", licence="MIT", size_bytes=471 * MB, languages=_MANY,
          num_layers=12, hidden_size=384),
    Entry(name="google-bert/bert-base-uncased", where="hub", licence="Apache-2.0", size_bytes=440 * MB,
          languages=("en",), num_layers=12, hidden_size=768),
    Entry(name="google-bert/bert-base-chinese", where="hub", licence="Apache-2.0", size_bytes=412 * MB,
          languages=("zh",), num_layers=12, hidden_size=768),
    Entry(name="HuggingFaceTB/SmolLM2-135M", where="hub", kind="decoder", licence="Apache-2.0", size_bytes=269 * MB,
          languages=("en",), num_layers=30, hidden_size=576, max_tokens=8192),
    Entry(name="Qwen/Qwen2.5-0.5B-Instruct", where="hub", kind="decoder", licence="Apache-2.0", size_bytes=988 * MB,
          languages=_MANY, num_layers=24, hidden_size=896, max_tokens=32_768),
    Entry(name="google-t5/t5-small", where="hub", kind="seq2seq", licence="Apache-2.0", size_bytes=242 * MB,
          languages=("de", "en", "fr", "ro"), num_layers=12, hidden_size=512),
    Entry(name="google/flan-t5-small", where="hub", kind="seq2seq", licence="Apache-2.0", size_bytes=308 * MB,
          languages=("de", "en", "fr", "ro"), num_layers=16, hidden_size=512),
    Entry(name="microsoft/resnet-18", where="hub", kind="image", licence="Apache-2.0", size_bytes=47 * MB,
          languages=(), num_layers=8, hidden_size=512, max_tokens=0),
    Entry(name="google/vit-base-patch16-224-in21k", where="hub", kind="image", licence="Apache-2.0",
          size_bytes=346 * MB, languages=(), num_layers=12, hidden_size=768, max_tokens=0),
)}  # fmt: skip
