"""Words to tags, and questions to sentences."""

from collections import Counter, defaultdict

from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap, learned_rows
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.same_sentence import same_sentence

MAX_ROWS = 200_000


def tags_of_words(kind: str, asked: Asked) -> Cheap:
    """The tag that a word has most often, in its own letters, else in small ones; of a word never seen, that of all words.

    Of equally frequent tags the first by name. `majority` is one tag for every word.
    """
    found = learned_rows(asked, ["tokens", "tags"], max_rows=MAX_ROWS)
    of_word: dict[str, Counter[str]] = defaultdict(Counter)
    every: Counter[str] = Counter()
    for words, tags in zip(found["tokens"], found["tags"], strict=True):
        for word, tag in zip(words, tags, strict=True):
            every[tag] += 1
            if kind == "word":
                of_word[word][tag] += 1
                if word != word.lower():
                    of_word[word.lower()][tag] += 1
    commonest = _most(every)
    best = {word: _most(counts) for word, counts in of_word.items()}

    def answer() -> list[JSON]:
        rows = ([str(word) for word in words or ()] for words in asked.truth["tokens"])
        return [{"tags": [best.get(word, best.get(word.lower(), commonest)) for word in words]} for words in rows]

    name = NAMES["word"] if kind == "word" else f"always the tag {commonest}"
    return Cheap(name=name, num_rows=len(found["tags"]), answer=answer)


def sentences_of_contexts(_kind: str, asked: Asked) -> Cheap:
    """The sentence of the context that shares most of the question's telling words; nothing is learned."""
    rows = {name: asked.truth[name] for name in ("question", "context")}
    return Cheap(name=NAMES["sentence"], num_rows=0, answer=lambda: same_sentence(rows))


def _most(counts: Counter[str]) -> str:
    return min(counts.items(), key=lambda item: (-item[1], item[0]))[0] if counts else "O"
