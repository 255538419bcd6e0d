"""Texts with planted near-copies, so that it is known which are copies: short ones and longer ones, English and Chinese.

    python benchmarks/dedup_corpus.py short 1000000 out.parquet

A base is new: a short one is the head of one sentence and the tail of another, a longer one a dozen sentences, both drawn
from many data sets, so that no two bases share more than half. (Captions of pictures are not
used: half of them begin alike.) A copy is its base with a few edits; a fifth of the rows
are copies. Columns: `id`, `text`, `spaced` (the text with spaces between Chinese letters, for libraries that find words by
spaces), `cluster`. The same seed gives the same rows.
"""

import csv
import gzip
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from measure import SHARED

SEED = 20261122
CLUSTERS = 0.15
"""The share of bases that have copies: about a fifth of the rows are copies then."""
SIZES = (2, 2, 2, 2, 2, 2, 3, 3, 4, 6)
"""Of clusters, each as often as it stands here."""
HAN = re.compile("([\u3400-\u9fff])")
FILLERS = {
    "en": ["please", "hello", "today", "really", "just", "thanks", "also", "again", "maybe", "now"],
    "zh": ["请", "您好", "今天", "真的", "谢谢", "再", "现在", "吧"],
}
CSVS = (
    ("banking77/train.csv", "text", "en"), ("banking77/test.csv", "text", "en"), ("sms_spam/all.csv.gz", "text", "en"),
    ("rt_polarity/all.csv.gz", "text", "en"), ("tatoeba_zh_en/train.csv.gz", "en", "en"),
    ("tatoeba_zh_en/train.csv.gz", "zh", "zh"), ("thucnews_titles/dev.csv.gz", "text", "zh"),
    ("thucnews_titles/test.csv.gz", "text", "zh"), ("chnsenticorp/train.csv.gz", "text", "zh"),
    ("csl/category_train.csv.gz", "text", "zh"), ("crowd_md_agreement/train.csv.gz", "text", "en"),
)  # fmt: skip
JSONLS = (
    ("squad_v11_dev/dev.jsonl.gz", "question", "en"), ("gsm8k/train.jsonl.gz", "question", "en"),
    ("cluener/train.jsonl.gz", "text", "zh"), ("chinese_poetry/train.jsonl.gz", "paragraphs", "zh"),
)  # fmt: skip


def main() -> None:
    kind, count, target = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    build(kind, count, target)


def build(kind: str, count: int, target: Path) -> None:
    """Write `count` rows of ``short`` or ``long`` texts."""
    draw = random.Random(f"{SEED} {kind}")
    pools = sentences()
    make = short_maker(pools, draw) if kind == "short" else long_maker(pools, draw)
    rows: list[tuple[str, int]] = []
    for cluster, (language, text) in enumerate(make):
        size = draw.choice(SIZES) if draw.random() < CLUSTERS else 1
        rows.append((text, cluster))
        rows += [(edited(text, language, draw, kind), cluster) for _ in range(size - 1)]
        if len(rows) >= count:
            break
    rows = rows[:count]
    draw.shuffle(rows)
    texts = [text for text, _ in rows]
    table = pa.table(
        {
            "id": list(range(len(rows))),
            "text": texts,
            "spaced": [" ".join(HAN.sub(r" \1 ", text).split()) for text in texts],
            "cluster": [number for _, number in rows],
        }
    )
    pq.write_table(table, target, compression="zstd")


def short_maker(pools: dict[str, list[str]], draw: random.Random) -> Iterator[tuple[str, str]]:
    """Head of one sentence, tail of another; neither is much the longer, so that a shared half is half of the text."""
    halves = {language: [cut(text, language) for text in pool] for language, pool in pools.items()}
    halves = {language: [both for both in found if both] for language, found in halves.items()}
    languages, weights = list(halves), [len(found) for found in halves.values()]
    while True:
        language = draw.choices(languages, weights)[0]
        (head, _), (_, tail) = draw.choice(halves[language]), draw.choice(halves[language])
        if 0.8 <= len(tail) / len(head) <= 1.25:
            yield language, (head + tail if language == "zh" else f"{head} {tail}")


def long_maker(pools: dict[str, list[str]], draw: random.Random) -> Iterator[tuple[str, str]]:
    """A dozen sentences, more or less."""
    languages, weights = list(pools), [len(pool) for pool in pools.values()]
    while True:
        language = draw.choices(languages, weights)[0]
        chosen = draw.sample(pools[language], draw.randint(8, 16))
        yield language, ("。" if language == "zh" else ". ").join(chosen)


def edited(text: str, language: str, draw: random.Random, kind: str) -> str:
    """A copy: one edit, sometimes two, of a short text; of a longer one up to a twentieth of its words."""
    number = (1 if draw.random() < 0.75 else 2) if kind == "short" else draw.randint(1, max(2, len(text) // 120))
    for _ in range(number):
        text = draw.choice(EDITS)(text, language, draw)
    return text


def _marks(text: str, language: str, draw: random.Random) -> str:
    if language == "zh":
        return text + draw.choice("。！？…")
    return draw.choice(
        (text.upper(), text.lower(), text + " !!", text.replace(" ", "  ", 2), f'"{text}"', text.title())
    )


def _typo(text: str, language: str, draw: random.Random) -> str:
    at = draw.randrange(len(text) - 1)
    letter = draw.choice("的一是不了人我在有他这中大来上国" if language == "zh" else "abcdefghilmnoprstu")
    return draw.choice(
        (
            text[:at] + letter + text[at + 1 :],
            text[:at] + text[at + 1 :],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        )
    )


def _filler(text: str, language: str, draw: random.Random) -> str:
    word, gap = draw.choice(FILLERS[language]), "" if language == "zh" else " "
    return draw.choice((f"{word}{gap}{text}", f"{text}{gap}{word}"))


def _without_word(text: str, language: str, draw: random.Random) -> str:
    if language == "zh":
        at = draw.randrange(len(text))
        return text[:at] + text[at + 1 :]
    words = text.split()
    del words[draw.randrange(len(words))]
    return " ".join(words)


def _other_word(text: str, language: str, draw: random.Random) -> str:
    if language == "zh":
        return _typo(text, language, draw)
    words = text.split()
    words[draw.randrange(len(words))] = draw.choice(FILLERS[language])
    return " ".join(words)


EDITS: tuple[Callable[[str, str, random.Random], str], ...] = (
    _marks,
    _marks,
    _typo,
    _filler,
    _without_word,
    _other_word,
)


def cut(text: str, language: str) -> tuple[str, str] | None:
    """Both halves of a sentence, where each is long enough to tell texts apart."""
    if language == "zh":
        return (text[: len(text) // 2], text[len(text) // 2 :]) if len(text) >= 14 else None
    words = text.split()
    middle = len(words) // 2
    head, tail = " ".join(words[:middle]), " ".join(words[middle:])
    return (head, tail) if middle >= 4 and min(len(head), len(tail)) >= 20 else None


def sentences() -> dict[str, list[str]]:
    """Distinct sentences by language, of 30 to 240 letters (14 to 90 in Chinese)."""
    found: dict[str, dict[str, None]] = {"en": {}, "zh": {}}
    for text, language in _texts():
        least, most = (14, 90) if language == "zh" else (30, 240)
        for sentence in re.split("[。！？\n]" if language == "zh" else r"(?<=[a-z0-9)])[.!?](?=\s)|\n| \. ", text):
            plain = " ".join(sentence.split())
            if least <= len(plain) <= most:
                found[language].setdefault(plain)
    return {language: list(texts) for language, texts in found.items()}


def _texts() -> Iterator[tuple[str, str]]:
    csv.field_size_limit(1 << 30)
    for name, column, language in CSVS:
        with _open(SHARED / name) as stream:
            yield from ((row[column], language) for row in csv.DictReader(stream))
    for name, column, language in JSONLS:
        with _open(SHARED / name) as stream:
            for line in stream:
                value = json.loads(line)[column]
                yield "".join(value) if isinstance(value, list) else value, language
    with _open(SHARED / "wikitext2/train.txt.gz") as stream:
        yield from ((line.replace("<unk>", "").replace(" , ", ", "), "en") for line in stream)


def _open(path: Path):  # type: ignore[no-untyped-def]
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


if __name__ == "__main__":
    main()
