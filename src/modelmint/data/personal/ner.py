"""People, places and organisations by a model: any token classifier of Transformers, from a folder of safetensors.

The folder's own code is never run and nothing is unpickled. A text longer than the model's window is read in windows
that overlap, and each token is judged in the window in which it stands farthest from an edge.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelmint.core.capitals import CAPITALS, capitals
from modelmint.core.errors import InputError
from modelmint.core.hashing import digest, file_digest
from modelmint.data.personal.recognizers import KINDS, Span

BATCH_TOKENS = 8192
MAX_WINDOW_TOKENS = 512
_FILES = ("config.json", "tokenizer.json", "model.safetensors")
_PREFIX = re.compile(r"^(?:[BIESLUM][-_])(?=.)", re.IGNORECASE)
_GUESSES = {
    "person": ("per", "person", "name", "nr", "people", "per.nam", "patient", "doctor", "givenname", "surname", "firstname", "lastname", "first_name", "last_name", "middlename"),
    "place": ("loc", "location", "gpe", "place", "ns", "city", "country", "state", "county", "fac", "scene", "loc.nam", "gpe.nam"),
    "organisation": ("org", "organization", "organisation", "company", "government", "nt", "companyname", "org.nam", "hospital", "corporation"),
    "address": ("address", "street", "street_address", "streetaddress", "buildingnum", "zipcode", "zip_code"),
    "email": ("email", "email_address", "mail"),
    "phone": ("phone", "phone_number", "phonenumber", "telephonenum", "mobile", "tel", "landline"),
    "date": ("date", "time", "date_time"),
    "date_of_birth": ("dob", "date_of_birth", "dateofbirth"),
    "id": ("id", "id_card", "ssn", "us_ssn", "socialnum", "idcardnum", "driverlicensenum", "taxnum"),
    "card": ("card", "credit_card", "creditcardnumber", "bank_card"),
    "account": ("account", "accountnum", "accountnumber", "bank_account"),
    "ip": ("ip", "ip_address", "ipv4", "ipv6"),
    "handle": ("username", "wechat", "qq", "handle"),
    "url": ("url", "domain_name"),
    "passport": ("passport",),
    "plate": ("plate", "vehiclevrm"),
    "age": ("age",),
}  # fmt: skip
"""What labels of well-known models mean (CoNLL, OntoNotes, CLUENER, MSRA, ai4privacy), without their BIO prefix."""


class TokenClassifier:
    """A model and what its labels mean. Not thread-safe.

    Args:
        folder: ``config.json``, ``tokenizer.json`` and ``model.safetensors`` of a token classifier.
        meanings: label (without B-, I-) -> kind or ``ignore``, where the labels do not speak for themselves.
        min_score: what the model is less sure of is left.
        check: called between batches; raises when it is time to stop.
    """

    def __init__(
        self,
        folder: Path,
        *,
        meanings: Mapping[str, str] | None = None,
        min_score: float = 0.5,
        num_threads: int = 1,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises InputError where the folder holds no such model or none of its labels has a meaning."""
        config = _config(folder)
        self.labels = [str(config["id2label"][str(at)]) for at in range(len(config["id2label"]))]
        self._kinds = meant(self.labels, meanings or {})
        self._model, self._tokenizer = _load(folder, num_threads)
        self._min_score, self._check = min_score, check
        self._reads_capitals = bool(config.get(CAPITALS))
        positions = int(config.get("max_position_embeddings") or MAX_WINDOW_TOKENS)
        offset = 2 if str(config.get("model_type")) in _SHIFTED_POSITIONS else 0
        self._ahead, self._behind = _frame(self._tokenizer)
        self._num_special = len(self._ahead) + len(self._behind)
        self._window = max(min(positions - offset, MAX_WINDOW_TOKENS) - self._num_special, 2)

    @property
    def kinds(self) -> frozenset[str]:
        """What the model's labels are mapped to."""
        return frozenset(kind for kind in self._kinds if kind)

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """(N,) the spans of each text, from the first letter of a word to its last."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        judged = [[(0, 0.0)] * len(encoding.ids) for encoding in encodings]
        types = [capitals(text, encoding.offsets) for text, encoding in zip(texts, encodings, strict=True)]
        for batch in self._batches([len(encoding.ids) for encoding in encodings]):
            self._check()
            ids = [list(encodings[text].ids[start:end]) for text, start, end in batch]
            cased = [types[text][start:end] for text, start, end in batch] if self._reads_capitals else []
            for (text, start, end), told in zip(batch, self._judge(ids, cased), strict=True):
                first, last = self._kept(start, end, len(judged[text]))
                judged[text][first:last] = told[first - start : last - start]
        return [
            self._spans(text, encoding.offsets, told)
            for text, encoding, told in zip(texts, encodings, judged, strict=True)
        ]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[tuple[int, int, int]]]:
        """Windows (text, first token, end) of like length together, at most `BATCH_TOKENS` with their padding."""
        step = max(self._window // 2, 1)
        windows = [
            (text, start, min(start + self._window, length))
            for text, length in enumerate(lengths)
            for start in range(0, max(length - (self._window - step), 1), step)
            if length
        ]
        batch: list[tuple[int, int, int]] = []
        for window in sorted(windows, key=lambda window: window[2] - window[1]):
            if batch and (len(batch) + 1) * (window[2] - window[1] + self._num_special) > BATCH_TOKENS:
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    def _kept(self, start: int, end: int, length: int) -> tuple[int, int]:
        """Of a window the tokens that no other window sees better: a quarter at each inner edge is left to its neighbour."""
        edge = self._window // 4
        return (start + edge if start else 0), (end - edge if end < length else length)

    def _judge(self, ids: list[list[int]], cased: list[list[int]]) -> list[list[tuple[int, float]]]:
        """For each token of each window its label and how sure that is."""
        import torch

        first, last = len(self._ahead), len(self._behind)
        longest = max(map(len, ids))
        rest = [longest - len(each) for each in ids]
        inputs = {
            "input_ids": [
                [*self._ahead, *each, *self._behind, *[self._pad] * more] for each, more in zip(ids, rest, strict=True)
            ],
            "attention_mask": [[1] * (first + longest - more + last) + [0] * more for more in rest],
        }
        if cased:
            inputs["token_type_ids"] = [
                [*[0] * first, *each, *[0] * (last + more)] for each, more in zip(cased, rest, strict=True)
            ]
        tensors = {name: torch.tensor(rows) for name, rows in inputs.items()}
        with torch.inference_mode():
            scores, labels = self._model(**tensors).logits.float().softmax(-1).max(-1)
        return [
            list(
                zip(
                    labels[at, first : first + len(each)].tolist(),
                    scores[at, first : first + len(each)].tolist(),
                    strict=True,
                )
            )
            for at, each in enumerate(ids)
        ]

    @property
    def _pad(self) -> int:
        return int(getattr(self._model.config, "pad_token_id", 0) or 0)

    def _spans(self, text: str, offsets: Sequence[tuple[int, int]], told: Sequence[tuple[int, float]]) -> list[Span]:
        spans: list[Span] = []
        for (start, end), (label, score) in zip(offsets, told, strict=True):
            kind = self._kinds[label]
            start += len(text[start:end]) - len(text[start:end].lstrip())  # noqa: PLW2901  # some count the blank before
            if start >= end:
                continue
            last = spans[-1] if spans else None
            inside_word = last is not None and last.end == start and _is_word(text[start - 1 : start + 1])
            if last is not None and (
                inside_word or (kind == last.kind and not self._begins(label) and not text[last.end : start].strip())
            ):
                spans[-1] = Span(
                    start=last.start, end=end, kind=last.kind, score=max(last.score, score if kind == last.kind else 0)
                )
            elif kind and score >= self._min_score:
                spans.append(
                    Span(
                        start=_word_start(text, start, last.end if last else 0),
                        end=end,
                        kind=kind,
                        score=round(score, 4),
                    )
                )
        return spans

    def _begins(self, label: int) -> bool:
        return self.labels[label][:2].upper() in {"B-", "S-", "U-", "B_", "S_", "U_"}


_SHIFTED_POSITIONS = {"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl"}
"""Their positions begin after the padding index."""


def meant(labels: Sequence[str], meanings: Mapping[str, str]) -> list[str | None]:
    """(L,) the kind of each label; None where it is nothing personal.

    Raises:
        InputError: a meaning is no kind, names no label, or no label has a meaning.
    """
    bare = [_PREFIX.sub("", label) for label in labels]
    if wrong := [kind for kind in meanings.values() if kind not in {*KINDS, "ignore"}]:
        raise InputError(
            f"ner_labels: must give each label one of {', '.join(KINDS)} or ignore; got {wrong[0]}",
            parameter="ner_labels",
        )
    if unknown := [name for name in meanings if name not in bare]:
        names = ", ".join(sorted(set(bare)))
        raise InputError(
            f"ner_labels: must name labels of the model ({names}); got {unknown[0]}", parameter="ner_labels"
        )
    guessed = {name: kind for kind, known in _GUESSES.items() for name in known}
    kinds = [meanings.get(name, guessed.get(name.casefold())) for name in bare]
    if not any(kinds):
        raise InputError(
            f"ner_labels: none of the model's labels is known: {', '.join(sorted(set(bare)))}",
            parameter="ner_labels",
            remedy="Say what they mean, for example `ner_labels: {LABEL_1: person, LABEL_2: place}`.",
        )
    return [None if kind == "ignore" else kind for kind in kinds]


def folder_digest(folder: Path) -> str:
    """What the model is: a digest of its files, for the identity of what it found.

    Raises:
        InputError: a file is missing.
    """
    _config(folder)
    return digest({path.name: file_digest(path) for path in _weights(folder) + [folder / name for name in _FILES[:2]]})


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.safetensors") if path.is_file())


def _config(folder: Path) -> dict[str, Any]:
    missing = [name for name in _FILES[:2] if not (folder / name).is_file()] + ([] if _weights(folder) else [_FILES[2]])
    if missing:
        raise InputError(
            f"ner: must be a folder with {', '.join(_FILES)}; {folder} has no {', no '.join(missing)}",
            parameter="ner",
            remedy="Save the model with `save_pretrained` (safetensors) and a fast tokenizer.",
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"ner: {folder / 'config.json'} must be JSON: {error}", parameter="ner") from error
    if not isinstance(config, dict) or not isinstance(config.get("id2label"), dict) or config.get("auto_map"):
        raise InputError(
            "ner: must be a token classifier whose config.json has `id2label` and brings no code of its own (`auto_map`)",
            parameter="ner",
        )
    return config


def _load(folder: Path, num_threads: int) -> tuple[Any, Any]:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForTokenClassification

    torch.set_num_threads(num_threads)
    try:
        model, said = AutoModelForTokenClassification.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"ner: the model in {folder} cannot be loaded: {error}", parameter="ner") from error
    if lacking := [name for name in said["missing_keys"] if "classifier" in name]:
        raise InputError(
            f"ner: must be a token classifier; {folder} has no weights {', '.join(lacking)}",
            parameter="ner",
            remedy="Give a model that was trained to name tokens; a base alone has not learnt it.",
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return model.eval(), tokenizer


def _frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens before and behind a text: read off an encoding, since tokenizers say it nowhere."""
    encoding = tokenizer.encode("a")
    inner = [at for at, special in enumerate(encoding.special_tokens_mask) if not special]
    if not inner:
        return list(encoding.ids), []
    return list(encoding.ids[: inner[0]]), list(encoding.ids[inner[-1] + 1 :])


def _is_word(pair: str) -> bool:
    """Whether two letters stand in one word; Chinese has no such words."""
    return len(pair) == 2 and all(letter.isalnum() and ord(letter) < 0x2E80 for letter in pair)


def _word_start(text: str, start: int, least: int) -> int:
    while start > least and _is_word(text[start - 1 : start + 1]):
        start -= 1
    return start
