"""Personal data found by patterns, by kind: precision, recall, F1 and F2, beside Presidio with its default recognizers.

The patterns were developed on the even rows of each set; the figures are of the odd rows. Rows share templates (nearly
all 209 of the English set stand in both halves; the Chinese set is generated from 20), so they say that values and not
texts are new. A find counts when both its ends are those of the label; `covered` counts a label that a find touches.

Presidio runs in an environment of its own, with its no-op NLP engine: its others want a model from the network, so
its names, and the words of context that raise a score, are missing. Sets: Presidio-research synth_dataset_v2 (en), a
generated Chinese one.
"""

import csv
import gzip
import json
import subprocess
import sys
import time
import venv
from collections import Counter
from pathlib import Path
from typing import Any

from measure import ROOT, SHARED, aim, arguments, report

from modelmint.data.personal.recognizers import FOUND_BY_PATTERN, PERSONAL, Recognizers

PEER = ROOT / "benchmarks" / ".peers" / "presidio"
REQUIREMENT = "presidio-analyzer==2.2.366"
SETS: dict[str, tuple[str, dict[str, str]]] = {
    "pii_presidio": ("en", {
        "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "id",
        "US_DRIVER_LICENSE": "id", "IP_ADDRESS": "ip", "DATE_TIME": "date", "DOMAIN_NAME": "url", "AGE": "age",
        "STREET_ADDRESS": "address", "ZIP_CODE": "address",
    }),
    "pii_zh_synth": ("zh", {
        "EMAIL": "email", "PHONE": "phone", "LANDLINE": "phone", "BANK_CARD": "card", "ID_CARD": "id", "IP": "ip",
        "PASSPORT": "passport", "PLATE": "plate", "ADDRESS": "address", "WECHAT": "handle", "ORG_CODE": "uscc",
    }),
}  # fmt: skip
"""Set -> its language and what its labels are here. Not by pattern: PERSON, GPE, ORGANIZATION, TITLE, NRP."""
SAME = {"date_of_birth": "date", "year": "date"}
"""The English set labels every date, year and weekday DATE_TIME. The Chinese set labels no dates."""
AIMED = ("email", "phone", "card", "id", "iban", "ip", "date")
ENTITIES = {
    "CREDIT_CARD": "card", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "IP_ADDRESS": "ip", "PHONE_NUMBER": "phone",
    "URL": "url", "DATE_TIME": "date", "US_SSN": "id", "US_ITIN": "id", "US_DRIVER_LICENSE": "id", "UK_NHS": "id",
    "US_PASSPORT": "passport",
}  # fmt: skip
PEER_CODE = """
import json, logging, sys, time
import tldextract
offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
tldextract.extract = offline
logging.disable(logging.CRITICAL)
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine
task = json.load(sys.stdin)
language = task["language"]
registry = RecognizerRegistry(supported_languages=[language])
registry.load_predefined_recognizers(languages=[language])
registry.recognizers = [one for one in registry.recognizers if "Spacy" not in type(one).__name__]
engine = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "none"}])
engine.load()
analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])
analyzer.analyze(text="warm up 1", language=language)
begun = time.perf_counter()
found = [[(one.start, one.end, one.entity_type, one.score) for one in analyzer.analyze(text=text, language=language)]
         for text in task["texts"]]
json.dump({"found": found, "seconds": time.perf_counter() - begun}, sys.stdout)
"""


def main() -> int:
    options = arguments(__doc__ or "")
    figures: dict[str, Any] = {"rows measured": "the odd ones of each set; developed on the even ones"}
    aims = []
    for name, (language, kinds) in SETS.items():
        if not (SHARED / name).exists():
            print(f"the data is not on this machine: {SHARED / name}")
            return 0
        rows = _rows(name)[1 :: 4 if options.quick else 2]
        truth = [
            {(one["start"], one["end"], kinds[one["type"]]) for one in row["entities"] if one["type"] in kinds}
            for row in rows
        ]
        texts = [row["text"] for row in rows]
        ours, ours_s = _ours(texts)
        table = {"ours": _scores(truth, ours, set(kinds.values()))}
        figures[f"{language}: texts"] = len(texts)
        figures[f"{language}: texts/s, ours, all {len(FOUND_BY_PATTERN)} kinds"] = round(len(texts) / ours_s)
        peer, peer_s, fault = _peer(texts, language)
        if fault:
            figures[f"{language}: presidio"] = fault
        else:
            figures[f"{language}: texts/s, presidio"] = round(len(texts) / peer_s)
            for least in (0.0, 0.35):
                taken = [_resolved(one, least) for one in peer]
                table[f"presidio, score >= {least:g}"] = _scores(truth, taken, set(kinds.values()))
        for kind in sorted(set(kinds.values())):
            for who, scores in table.items():
                figures[f"{language} {kind}: {who}"] = scores[kind]
        aims += [
            aim(f"{language} {kind}: F2", float(table["ours"][kind]["f2"]), least=0.90)
            for kind in AIMED if kind in kinds.values()
        ]  # fmt: skip
    figures |= _clean_texts(options.quick)
    speed = figures["texts/s, default kinds, banking77"]
    aims.append(aim("texts/s on short texts without personal data", speed, least=10_000))
    return report("deidentify", figures, aims, options=options)


def _rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(SHARED / name / "all.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _ours(texts: list[str]) -> tuple[list[set[tuple[int, int, str]]], float]:
    patterns = Recognizers(kinds=FOUND_BY_PATTERN)
    patterns.find("warm up +1 415 555 2671 born 1.1.2000 4111 1111 1111 1111")
    begun = time.perf_counter()
    found = [patterns.find(text) for text in texts]
    seconds = time.perf_counter() - begun
    return [{(one.start, one.end, SAME.get(one.kind, one.kind)) for one in spans} for spans in found], seconds


def _peer(texts: list[str], language: str) -> tuple[list[list[Any]], float, str]:
    """What Presidio finds, the seconds it took, and why it could not be asked."""
    python = PEER / "bin" / "python"
    if not python.exists():
        venv.create(PEER, with_pip=True)
    ask = [str(python), "-c", "import presidio_analyzer"]
    if subprocess.run(ask, capture_output=True, check=False).returncode:
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", REQUIREMENT], capture_output=True, text=True, check=False
        )
        if done.returncode:
            return [], 0.0, f"did not install: {done.stderr.strip().splitlines()[-1:]}"
    task = json.dumps({"texts": texts, "language": language})
    done = subprocess.run([str(python), "-c", PEER_CODE], input=task, capture_output=True, text=True, check=False)
    if done.returncode:
        return [], 0.0, f"failed: {done.stderr.strip().splitlines()[-1:]}"
    answer = json.loads(done.stdout)
    return answer["found"], answer["seconds"], ""


def _resolved(found: list[Any], least: float) -> set[tuple[int, int, str]]:
    """Presidio gives every candidate: of those that overlap the surest stays, then the longest, as its anonymizer does."""
    kept: list[tuple[int, int, str]] = []
    for start, end, entity, score in sorted(found, key=lambda one: (-one[3], one[0] - one[1])):
        if score >= least and all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, ENTITIES.get(entity, entity)))
    return set(kept)


def _scores(truth: list[Any], found: list[Any], kinds: set[str]) -> dict[str, dict[str, float]]:
    hits, misses, extra, covered = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for true, told in zip(truth, found, strict=True):
        for one in true:
            (hits if one in told else misses)[one[2]] += 1
            covered[one[2]] += any(one[2] == other[2] and other[0] < one[1] and one[0] < other[1] for other in told)
        extra.update(one[2] for one in told - true)
    return {kind: _score(hits[kind], extra[kind], misses[kind], covered[kind]) for kind in kinds}


def _score(hits: int, extra: int, misses: int, covered: int) -> dict[str, float]:
    precision, recall = hits / max(hits + extra, 1), hits / max(hits + misses, 1)

    def f(beta: float) -> float:
        weight = beta * beta
        return (1 + weight) * precision * recall / max(weight * precision + recall, 1e-12)

    return {
        "n": hits + misses,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(f(1), 3),
        "f2": round(f(2), 3),
        "covered": round(covered / max(hits + misses, 1), 3),
    }


def _clean_texts(quick: bool) -> dict[str, Any]:
    """Texts of people that hold next to no personal data: what is found there is nearly all wrong; and the speed."""
    figures: dict[str, Any] = {}
    patterns = Recognizers(kinds=PERSONAL)
    for name, texts in _plain_sets(2_000 if quick else 10_000).items():
        begun = time.perf_counter()
        found = Counter(span.kind for text in texts for span in patterns.find(text))
        seconds = time.perf_counter() - begun
        figures[f"finds in {name} ({len(texts):,} texts)"] = dict(sorted(found.items()))
        figures[f"texts/s, default kinds, {name}"] = round(len(texts) / seconds)
    busy = [f"call me at (415) 555-{at:04d} or write to joe{at}@x.com" for at in range(1_000 if quick else 10_000)]
    begun = time.perf_counter()
    num_found = sum(len(patterns.find(text)) for text in busy)
    figures["texts/s, a telephone and an e-mail in each"] = round(len(busy) / (time.perf_counter() - begun))
    figures["found there"] = f"{num_found:,} of {2 * len(busy):,}"
    return figures


def _plain_sets(most: int) -> dict[str, list[str]]:
    with (SHARED / "banking77" / "train.csv").open(encoding="utf-8") as lines:
        banking = [row["text"] for row in csv.DictReader(lines)]
    sets = {"banking77": banking}
    for name, column in (("chnsenticorp", "text"), ("gsm8k", "question")):
        file = next(iter(sorted((SHARED / name).glob("*train*.gz"))), None)
        if file is not None:
            sets[name] = _column(file, column)
    return {name: texts[:most] for name, texts in sets.items()}


def _column(file: Path, column: str) -> list[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        if ".jsonl" in file.name:
            return [json.loads(line)[column] for line in lines]
        return [row[column] for row in csv.DictReader(lines)]


if __name__ == "__main__":
    sys.exit(main())
