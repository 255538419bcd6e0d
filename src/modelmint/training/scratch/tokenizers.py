"""Tokenizers learned from texts: equal texts, in any order of words, give an equal tokenizer.

Everything is a `tokenizers.Tokenizer`, so that whatever reads a `tokenizer.json` reads these. Two of that library's
trainers give other results from run to run (WordPiece) or do not end on long runs of Chinese (Unigram, 0.23): both are
made here of its BPE, which does neither.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from modelmint.core.errors import DataError, InputError
from modelmint.training.scratch.spec import TokenizerSpec

PAD, UNKNOWN = "[PAD]", "[UNK]"
NUM_BYTES = 256
SEEDS = 2  # times as many pieces as are wanted does the unigram model choose from
ROUNDS = 3
MAX_ALPHABET = 0.5  # of the vocabulary may be single characters, where pieces of several are wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialTokens:
    """The tokens that stand for no text, and where they are put: `single` and `pair` are templates of `tokenizers`.

    Their ids are their places: padding is 0. `roles` are their names for transformers (`cls_token` and the like).
    """

    roles: Mapping[str, str]
    single: str = ""
    pair: str = ""

    @property
    def tokens(self) -> list[str]:
        return list(dict.fromkeys(self.roles.values()))


ENCODER = SpecialTokens(
    roles={
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    single="[CLS] $A [SEP]",
    pair="[CLS] $A [SEP] $B:1 [SEP]:1",
)
"""For encoders: a start, and an end after each of one or two texts."""
WRITER = SpecialTokens(roles={"pad_token": PAD, "unk_token": UNKNOWN, "bos_token": "</s>", "eos_token": "</s>"})
"""For models that go on with a text: one token ends each text, and by it the next begins, which the task puts there."""
READER_WRITER = SpecialTokens(
    roles={"pad_token": PAD, "unk_token": UNKNOWN, "bos_token": "<s>", "eos_token": "</s>"},
    single="$A </s>",
    pair="$A </s> $B </s>",
)
"""For sequence to sequence: each text ends with its end."""


def learn_tokenizer(spec: TokenizerSpec, texts: Iterable[str], special_tokens: SpecialTokens = ENCODER) -> Tokenizer:
    """The tokenizer that a spec names, learned from texts. Ids of special tokens come first, padding is 0.

    `bpe` is over bytes and knows every text, without loss; the others give `[UNK]` for characters that are rare or new.
    `characters` has one token a character (a code point). In `wordpiece` and `words` each Chinese character is a word,
    and what stood between words (spaces, line breaks) is not kept.

    Source: Sennrich et al. 2016 (bpe), Kudo 2018 (unigram, with the counts of the best segmentation), Devlin et al. 2019.

    Raises:
        DataError: the texts hold nothing.
        InputError: the vocabulary is too small for `bpe`, which needs a token for every byte.
    """
    given = [text for text in texts if text.strip()]
    if not given:
        raise DataError(
            "train: must hold texts to learn a tokenizer from; all of them are empty",
            parameter="train",
            remedy="Look whether the right column was read as the text.",
        )
    learned = _LEARN[spec.name](spec, given, special_tokens.tokens)
    if special_tokens.single:
        learned.post_processor = processors.TemplateProcessing(
            single=special_tokens.single,
            pair=special_tokens.pair,
            special_tokens=[(token, learned.token_to_id(token)) for token in special_tokens.tokens],
        )
    return learned


def save_tokenizer(tokenizer: Tokenizer, special_tokens: SpecialTokens, folder: Path, max_tokens: int) -> None:
    """Write `tokenizer.json`, and `tokenizer_config.json` for transformers' AutoTokenizer."""
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "clean_up_tokenization_spaces": False,
        **special_tokens.roles,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def _bpe(spec: TokenizerSpec, texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    least = NUM_BYTES + len(special)
    if spec.vocabulary_size < least:
        raise InputError(
            f"tokenizer.vocabulary_size: must be at least {least} with bpe, which has a token for every byte; got "
            f"{spec.vocabulary_size}",
            parameter="tokenizer",
            remedy="Set a larger vocabulary_size, or `tokenizer: characters`.",
        )
    tokenizer = _empty(models.BPE(), spec, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel())
    _train_bpe(tokenizer, texts, spec.vocabulary_size, special, pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def _unigram(spec: TokenizerSpec, texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    marks = pre_tokenizers.Split(Regex(r"[\p{P}\p{S}\n]"), "isolated")
    split = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), marks])
    seeds = _empty(models.BPE(unk_token=UNKNOWN), spec, split, None)
    _train_bpe(seeds, texts, SEEDS * spec.vocabulary_size, special, (), round(spec.vocabulary_size * MAX_ALPHABET))
    pieces, tokenizer = [piece for piece in _by_id(seeds) if piece not in special], seeds
    for step in range(ROUNDS):
        counts = Counter(dict.fromkeys(pieces, 0))
        counts.update(token for tokens in _cut(tokenizer, texts) for token in tokens if token not in special)
        keep = len(pieces) - (len(pieces) - (spec.vocabulary_size - len(special))) * (step + 1) // ROUNDS
        pieces = _most_frequent(counts, keep)
        total = math.log(sum(counts[piece] + 1 for piece in pieces))
        scored = [(token, 0.0) for token in special]
        scored += [(piece, math.log(counts[piece] + 1) - total) for piece in pieces]
        tokenizer = _empty(
            models.Unigram(scored, unk_id=list(special).index(UNKNOWN)), spec, split, decoders.Metaspace()
        )
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def _wordpiece(spec: TokenizerSpec, texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    cut = _empty(models.BPE(unk_token=UNKNOWN), spec, pre_tokenizers.BertPreTokenizer(), None, words=True)
    _train_bpe(cut, texts, spec.vocabulary_size, special, (), round(spec.vocabulary_size * MAX_ALPHABET))
    words = Counter(word for found in _words(cut, texts) for word in found)
    counts: Counter[str] = Counter()
    for word, num in sorted(words.items()):
        at = 0
        for token in cut.model.tokenize(word):
            counts["##" * (at > 0) + token.value] += num
            at += len(token.value)
    for mark in [*special, *(f"##{token}" for token in special)]:
        counts.pop(mark, None)
    pieces = _most_frequent(counts, spec.vocabulary_size - len(special))
    vocabulary = {token: number for number, token in enumerate([*special, *pieces])}
    model = models.WordPiece(vocabulary, unk_token=UNKNOWN)
    tokenizer = _empty(model, spec, pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(), words=True)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def _whole_words(spec: TokenizerSpec, texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    model = models.WordLevel(unk_token=UNKNOWN)
    tokenizer = _empty(model, spec, pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(), words=True)
    trainer = trainers.WordLevelTrainer(
        vocab_size=spec.vocabulary_size, special_tokens=list(special), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _characters(spec: TokenizerSpec, texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.lower() if spec.lowercase else text)
    kept = _most_frequent(counts, spec.vocabulary_size - len(special))
    vocabulary = {token: number for number, token in enumerate([*special, *kept])}
    # BPE that merges nothing cuts into characters, many times faster than a split at each.
    model = models.BPE(vocabulary, [], unk_token=UNKNOWN)
    tokenizer = _empty(model, spec, None, decoders.Fuse())
    tokenizer.add_special_tokens(list(special))
    return tokenizer


_LEARN = {
    "bpe": _bpe,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "words": _whole_words,
    "characters": _characters,
}


def _empty(
    model: models.Model,
    spec: TokenizerSpec,
    split: pre_tokenizers.PreTokenizer | None,
    decoder: decoders.Decoder | None,
    *,
    words: bool = False,
) -> Tokenizer:
    tokenizer = Tokenizer(model)
    if words:
        tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=spec.lowercase)
    elif spec.lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    if split is not None:
        tokenizer.pre_tokenizer = split
    if decoder is not None:
        tokenizer.decoder = decoder
    return tokenizer


def _train_bpe(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    size: int,
    special: Sequence[str],
    alphabet: Iterable[str],
    max_alphabet: int | None = None,
) -> None:
    limit: dict[str, Any] = {} if max_alphabet is None else {"limit_alphabet": max_alphabet}
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=sorted(alphabet),
        show_progress=False,
        **limit,
    )
    tokenizer.train_from_iterator(texts, trainer)


def _words(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterable[list[str]]:
    for text in texts:
        cut = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        yield [word for word, _span in cut]


def _cut(tokenizer: Tokenizer, texts: Sequence[str], batch_size: int = 1024) -> Iterable[list[str]]:
    for start in range(0, len(texts), batch_size):
        for encoding in tokenizer.encode_batch(texts[start : start + batch_size], add_special_tokens=False):
            yield encoding.tokens


def _by_id(tokenizer: Tokenizer) -> list[str]:
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _most_frequent(counts: Mapping[str, int], limit: int) -> list[str]:
    """Single characters first, by count, since without them whole words are unknown; then the pieces by count."""
    ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
    single = [piece for piece in ranked if len(piece.removeprefix("##")) == 1]
    return [*single, *(piece for piece in ranked if len(piece.removeprefix("##")) > 1)][: max(0, limit)]
