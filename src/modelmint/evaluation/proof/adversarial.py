"""Texts that find what ordinary rows do not: made from evaluation rows, so that they are of the model's own language.

Their labels mean nothing. What counts is that the endpoint answers them as the trained model does.
"""

import itertools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from modelmint.core.inputs import WORDS, Input

Change: TypeAlias = Callable[[str, Random], str]

BLANKS = ("", " ", "\t \n", "\u00a0\u3000", "\u200b")
SINGLE = ("a", "Z", "?", "é", "中", "7", "ß")
EMOJI = ("😀", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "❤\ufe0f")
SCRIPTS = ("привет", "你好世界", "こんにちは", "안녕하세요", "नमस्ते", "สวัสดี", "Ελληνικά", "ქართული", "żółć", "naïve")
LEFTWARDS = ("שלום עולם", "مرحبا بالعالم", "\u202eabc\u202c")
CONTROLS = ("\x00", "\x07", "\x1b[31m", "\x7f", "\ufeff", "\u2028")
NUMBERS = ("1234567890", "-3.5e-7", "1,000.00", "٣٫١٤", "0x1F", "½", "２０２６")
MARKERS = ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "<s>", "</s>", "<|im_start|>system", "<|im_end|>", "<|endoftext|>",
           "{{ system }}", "{% if true %}", "### Instruction:")  # fmt: skip
SOURCE_CHARS = 2_000  # of a row; what is made of it is many times as long
TOO_LONG = "too long for the API"


@dataclass(frozen=True, kw_only=True, slots=True)
class Odd:
    """What is asked and the kind that it is of."""

    kind: str
    given: Input


def adversarial(
    texts: Sequence[str],
    *,
    num_rows: int,
    max_tokens: int,
    max_characters: int,
    seed: int,
    markers: Sequence[str] = (),
) -> list[Odd]:
    """At most `num_rows` different texts, of every kind about as many; equal arguments give equal texts.

    One of them is longer than the API takes.

    Args:
        texts: rows of evaluation; at least one.
        max_tokens: where the model cuts a text: some are far longer.
        max_characters: what the API takes; all but the one text are cut to it.
        markers: the special tokens of the model's own tokenizer, written into texts beside the usual ones.
    """
    random = Random(seed)  # noqa: S311  # which texts are changed is no secret
    kinds = _kinds(max_tokens, (*markers, *MARKERS))
    found: dict[str, Odd] = {}
    order = [texts[at] for at in random.sample(range(len(texts)), min(len(texts), num_rows))]
    fixed = (*(("blank", text) for text in BLANKS), *(("one character", text) for text in SINGLE))
    for (kind, change), text in itertools.islice(_turns(kinds, order), 4 * num_rows):
        if len(found) >= num_rows - len(fixed) - 1:
            break
        changed = change(text[:SOURCE_CHARS], random)[:max_characters]
        found.setdefault(changed, Odd(kind=kind, given=changed))
    for kind, text in fixed:
        found.setdefault(text, Odd(kind=kind, given=text))
    longest = (texts[0] or "a") * (max_characters // max(1, len(texts[0])) + 1)
    too_long = Odd(kind=TOO_LONG, given=f"{longest} "[: max_characters + 1].ljust(max_characters + 1, "."))
    return [*list(found.values())[: max(0, num_rows - 1)], too_long][:num_rows]


def in_place(odd: Sequence[Odd], inputs: Sequence[Input], columns: Sequence[str]) -> list[Odd]:
    """Odd texts as a model of these columns reads them: of pairs now in the first place, now in the second;
    of words cut at spaces.

    Args:
        inputs: rows of evaluation, from which the rest of each input is taken.
    """
    if tuple(columns) == WORDS:
        return [Odd(kind=one.kind, given={"tokens": str(one.given).split(" ")}) for one in odd]
    if len(columns) == 1:
        return list(odd)
    found = []
    for at, one in enumerate(odd):
        rest: Any = inputs[at % len(inputs)]
        found.append(Odd(kind=one.kind, given={**rest, columns[at % len(columns)]: one.given}))
    return found


def _turns(kinds: Mapping[str, Change], texts: Sequence[str]) -> "itertools.chain[tuple[tuple[str, Change], str]]":
    """Every kind in turn, each time with the next text."""
    turning = itertools.cycle(texts)
    rounds = (((kind, next(turning)) for kind in kinds.items()) for _ in itertools.count())
    return itertools.chain.from_iterable(rounds)


def _kinds(max_tokens: int, markers: Sequence[str]) -> dict[str, Change]:
    return {
        "longer than the model reads": lambda text, random: _long(text, random, 2 * max_tokens),
        "template markers": lambda text, random: _among(text, random, markers),
        "upper case": lambda text, _random: text.upper(),
        "mixed case": lambda text, random: "".join(random.choice((one.upper(), one.lower())) for one in text),
        "accents": lambda text, _random: unicodedata.normalize("NFC", _accented(text)),
        "combining forms": lambda text, _random: unicodedata.normalize("NFD", _accented(text)),
        "full width": lambda text, _random: "".join(_wide(one) for one in text),
        "emoji": lambda text, random: _among(text, random, EMOJI),
        "mixed scripts": lambda text, random: _among(text, random, SCRIPTS, times=3),
        "right to left": lambda text, random: _among(text, random, LEFTWARDS),
        "control characters": lambda text, random: _among(text, random, CONTROLS, times=3),
        "spaces around": lambda text, _random: f"  \t{text} \n\n",
        "spaces between": lambda text, _random: " \u00a0 ".join(text.split()) + "\r\n",
        "numbers": lambda text, random: _among(text, random, NUMBERS, times=2),
        "HTML": lambda text, _random: (
            f'<p class="q">{text.replace(" ", "&nbsp;", 1)}<br/></p><!-- --><script>1</script>'
        ),
        "repeated": lambda text, _random: f"{text} {text} {text}",
        "a very long word": lambda text, _random: f"{text} {''.join(text.split()) * 40}",
        "punctuation": lambda text, _random: f"«{text}»…!!! --- ¿{text[:20]}? ﹏",
    }


def _long(text: str, random: Random, num_words: int) -> str:
    """Far more words than are read; what is cut off says something else than what is kept."""
    words = text.split() or ["a"]
    return " ".join([*itertools.islice(itertools.cycle(words), num_words), *random.sample(SCRIPTS, 3)])


def _among(text: str, random: Random, strange: Sequence[str], *, times: int = 1) -> str:
    words = text.split(" ")
    for one in random.sample(strange, min(times, len(strange))):
        words.insert(random.randint(0, len(words)), one)
    return " ".join(words)


def _accented(text: str) -> str:
    return "".join(f"{one}\u0301" if one.lower() in "aeiou" else one for one in text)


def _wide(character: str) -> str:
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character
