"""What near-copies are found by: folding, shingles, sketches, and the same result on Ray."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core.stage import StageContext
from modelmint.data.copies.engine import engine
from modelmint.data.copies.folding import Folded, fold
from modelmint.data.copies.likeness import ShingleSets, similarity
from modelmint.data.copies.minhash import banding, minima
from modelmint.data.copies.neighbours import near_copies
from modelmint.data.copies.shingles import letter_shingles, sets, word_shingles


def texts_of(folded: Folded) -> list[str]:
    ends = folded.ends.tolist()
    return ["".join(map(chr, folded.letters[low:high])) for low, high in pairwise(ends)]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Hello,   World! ", " hello world "),
        ("Don’t", " dont "),
        ("ＡＢＣ，１２３", " abc 123 "),
        ("Ünïcode\u200b ok", " ünïcode ok "),
        ("你好，世界。", " 你好 世界 "),
        ("?!", ""),
        ("", ""),
        ("a\x00b\ud800c", " a b c "),
    ],
)
def test_folding_takes_case_width_and_marks_away(text: str, folded: str) -> None:
    assert texts_of(fold(["x", text, "y"])) == [" x ", folded, " y "]


def test_a_text_folds_the_same_beside_any_other() -> None:
    assert texts_of(fold(["Plain text, here"])) == texts_of(fold(["Plain text, here", "é"]))[:1]


def test_shingles_do_not_reach_into_the_next_text() -> None:
    alone = sets(*letter_shingles(fold(["abcdef"])))[0]
    beside = sets(*letter_shingles(fold(["abcdef", "xyz"])))
    assert alone.tolist() == beside[0][: beside[1][1]].tolist()


def test_words_are_cut_by_spaces_and_two_make_a_shingle() -> None:
    _, ends = sets(*word_shingles(fold(["one two three four", "one", "", "two one two one"])))
    assert np.diff(ends).tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("one", "other", "alike"), [("abcd", "abcd", 1.0), ("abcd", "ABCD!", 1.0), ("abcd", "wxyz", 0.0), ("", "", 1.0)]
)
def test_similarity_is_the_share_of_shingles_in_common(one: str, other: str, alike: float) -> None:
    assert similarity(one, other) == alike


def test_minima_estimate_the_similarity() -> None:
    words = [f"w{number}" for number in range(400)]
    folded = fold([" ".join(words), " ".join(words[:300] + [f"x{number}" for number in range(100)])])
    hashes, ends = letter_shingles(folded)
    drawn = minima(hashes, ends, 1024, seed=3)
    assert (drawn[0::1, 0] == drawn[:, 1]).mean() == pytest.approx(similarity(*texts_of(folded)), abs=0.05)


@pytest.mark.parametrize("wanted", [0.5, 0.7, 0.8, 0.95])
def test_bands_keep_the_recall_at_the_similarity_asked_for(wanted: float) -> None:
    assert banding(wanted).chance(wanted) > 0.98


def test_rows_that_are_fixed_are_not_compared_among_themselves(context: StageContext) -> None:
    texts = ["the first of all the sentences here", "the last one that was ever said", "The last one that was ever sad"]
    chunk = pa.table({"part0": pa.array(texts, pa.large_string())})

    def chunks(mask: object) -> list[pa.Table]:
        return [chunk if mask is None else chunk.filter(pa.array(mask))]

    with engine(context):
        found = near_copies(chunks, num_parts=1, similarity=0.6, ctx=context, fixed_from=1)
    assert found.cluster.tolist() == [0, 1, 2]


def test_shingles_whose_hashes_differ_in_one_bit_need_no_memory_of_their_own(tmp_path: Path) -> None:
    hashes, ends = sets(*letter_shingles(fold(["the ilih and the ygko", "an ilih and an ygko"])))
    made = ShingleSets(tmp_path / "shingles")
    made.add(hashes, np.diff(ends))
    made.close()
    with at_most_more(3 << 30):
        found = made.jaccard(np.array([0]), np.array([1]))
    assert found[0] == similarity("the ilih and the ygko", "an ilih and an ygko")


@contextmanager
def at_most_more(num_bytes: int) -> Iterator[None]:
    """Let this process have so much more address space, and no more."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


RECIPE = """\
stages:
  - collect: {{source: rows.parquet}}
  - {{deduplicate: {{}}, engine: {engine}}}
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_ray_gives_the_same_digest(tmp_path: Path) -> None:
    rows = [
        f"{number * 7919 % 100003} parcels left depot {number * 104729 % 99991} for {number}" for number in range(3000)
    ]
    texts = rows + [row.upper() + "!" for row in rows[::7]]
    pq.write_table(
        pa.table({"text": texts, "label": ["ab"[at % 2] for at in range(len(texts))]}), tmp_path / "rows.parquet"
    )
    digests, engines = [], []
    for where in ("local", "ray"):
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(engine=where))
        words = [sys.executable, "-m", "modelmint", "--home", str(tmp_path / where)]
        run = subprocess.run([*words, "run", str(tmp_path / "recipe.yaml"), "--json"], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr + run.stdout
        made = json.loads(run.stdout)["stages"][1]["roles"]
        shown = {
            role: json.loads(subprocess.run([*words, "show", ids[0], "--json"], capture_output=True, text=True).stdout)
            for role, ids in made.items()
        }
        digests.append({role: manifest["digest"] for role, manifest in shown.items()})
        engines.append(shown["deduplication"]["measured"]["engine"])
    assert engines == ["local", "ray"]
    assert digests[0] == digests[1]
