"""What can be compared exactly between a candidate and what it was made from: its words, its tokens and its weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelmint.core.inputs import Input
from modelmint.core.items import ITEMS
from modelmint.core.types import JSON, Model
from modelmint.evaluation.proof.equality import ABOUT, compare_answers, compare_folders, compare_items, read_json
from modelmint.evaluation.proof.tokenization import FILE, compare_reading
from modelmint.evaluation.proof.weights import compare_weights
from modelmint.serving.engines import MODEL_FILES


@dataclass(frozen=True, kw_only=True, slots=True)
class Exact:
    """`differences` are sentences, each of which refuses; `differing` says which texts have other token ids."""

    differences: list[str]
    differing: list[bool]
    examples: list[JSON]
    compared: list[str]
    """What was compared, in words."""
    notes: list[str]
    """What could not be."""


def compare_exactly(reference: Model, variant: Model, texts: Sequence[Input], *, is_student: bool) -> Exact:
    """Compare the folders of two models, and how each reads every text; of a student its labels and answers alone."""
    trained, candidate = reference.files.folder(), variant.files.folder()
    if is_student:
        return Exact(
            differences=compare_answers(candidate, reference),
            differing=[False] * len(texts),
            examples=[],
            compared=["labels", "kind of answer"],
            notes=[
                f"{variant.facts['body']} is another body than the trained model: its tokens and weights are its own"
            ],
        )
    differences = compare_folders(trained, candidate, reference)
    compared, notes = ["labels", "settings", "config"], []
    if (trained / ITEMS).is_file():
        differences += compare_items(trained, candidate)
        compared.append("items and how often each was taken")
    differing, examples = [False] * len(texts), []
    if not (trained / FILE).is_file():
        pass  # it reads no texts
    elif not (candidate / FILE).is_file():
        differences.append(f"{FILE} is missing from the candidate")
    else:
        about, max_tokens = read_json(candidate / ABOUT), int(reference.facts["max_tokens"])
        theirs = int(about.get("max_tokens", max_tokens))
        read = compare_reading(trained, candidate, texts, max_tokens=max_tokens, candidate_tokens=theirs)
        differences += read.differences
        differing, examples = read.differing, read.examples
        compared += ["tokenizer", f"token ids of {len(texts):,} texts"]
    weights, own = compare_weights(trained, candidate), _own_file(trained)
    if own is not None:
        compared.append(own)
        differences += [] if _same(trained / own, candidate / own) else [f"{own} is not the file of the trained model"]
    elif weights is None:
        notes.append("the weights were not compared one by one: this form does not keep their names")
    else:
        differences += weights.differences
        compared.append(f"{weights.num_compared} tensors of weights")
    return Exact(differences=differences, differing=differing, examples=examples, compared=compared, notes=notes)


def _own_file(trained: Path) -> str | None:
    """The file that a model of a table is served from as it was trained."""
    return next((MODEL_FILES[name] for name in ("lightgbm", "numpy") if (trained / MODEL_FILES[name]).is_file()), None)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
