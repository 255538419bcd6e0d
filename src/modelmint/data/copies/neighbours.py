"""Near-copies among any number of texts: sketches by the engine, meetings on disk, true likeness of those that meet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.core.stage import StageContext
from modelmint.data.copies.engine import mapped
from modelmint.data.copies.folding import Folded, Ints, Mask, ends_of, fold
from modelmint.data.copies.likeness import Floats, ShingleSets
from modelmint.data.copies.meetings import BandFiles, Pairs
from modelmint.data.copies.shingles import Hashes, letter_shingles, sets, word_shingles
from modelmint.data.copies.sketches import SLACK, Sketches, Sketching, sketch

MOST_COMPARED_LETTERS = 4000
"""Longer texts are compared by their pairs of words: in so long a text most runs of four letters are there anyway."""
BINS = 20
"""Of the counts of pairs by similarity."""

Chunks = Callable[[Mask | None], Iterable[pa.Table]]
"""Gives the texts of the rows (all, or those of a mask) in order, as tables with a column of strings for each part."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What was found of N rows."""

    cluster: Ints
    """(N,) the place of the first of a row's near-copies, its own where there is none before it."""
    num_letters: Ints
    """(N,) how long each row is."""
    pairs_by_similarity: list[int] = field(default_factory=list)
    """(BINS,) how many different texts that met were that alike, from 0 to 1; texts that fold to the same are not in it."""
    num_compared: int = 0


def near_copies(
    chunks: Chunks, *, num_parts: int, similarity: float, ctx: StageContext, fixed_from: int | None = None
) -> Neighbours:
    """Put rows together whose every part is at least so similar, through any chain of such pairs.

    Args:
        num_parts: how many columns of strings the tables of `chunks` have.
        similarity: Jaccard, above 0 and at most 1.
        fixed_from: rows from this place on are not compared among themselves.
    """
    how, columns = Sketching(similarity=similarity, seed=ctx.seed), [f"part{index}" for index in range(num_parts)]
    cuts = {"letters": how.by_letters, "words": how.by_words}
    with ExitStack() as stack:
        folder = ctx.scratch / "bands"
        tables = {kind: stack.enter_context(BandFiles(folder / kind, cut.num_bands)) for kind, (cut, _) in cuts.items()}
        rows = _sketched(chunks, columns, how, tables, ctx)
    _, first, same = np.unique(rows.fingerprint, return_index=True, return_inverse=True)
    among = np.zeros(len(rows.fingerprint), np.bool_)
    among[first] = True
    met = np.zeros_like(among)
    for kind, (cut, least) in cuts.items():
        ctx.check()
        ctx.say(0, 0, f"comparing {len(first):,} different texts by {kind}")
        met |= tables[kind].meet(among, cut.most_apart(least), fixed_from=fixed_from)
    compared = _compared(chunks, columns, rows, met, ctx)
    place = np.cumsum(met) - 1
    joined = _Joined(int(met.sum()), compared, rows.num_letters[met], similarity)
    for table in tables.values():
        for left, right in table.pairs():
            ctx.check()
            ctx.say(0, 0, f"{joined.num_compared:,} pairs compared")
            joined.look((place[left], place[right]))
    cluster = np.arange(len(met), dtype=np.int64)
    cluster[met] = np.flatnonzero(met)[joined.first_of()]
    return Neighbours(
        cluster=cluster[first][same],
        num_letters=rows.num_letters,
        pairs_by_similarity=joined.by_similarity.tolist(),
        num_compared=joined.num_compared,
    )


class _Joined:
    """Rows that are put together pair by pair; a pair that is together already is not compared again."""

    def __init__(self, num_rows: int, compared: list[ShingleSets], num_letters: Ints, similarity: float) -> None:
        self._component = np.arange(num_rows, dtype=np.int64)
        self._letters, self._words = compared[::2], compared[1::2]
        self._long = num_letters > MOST_COMPARED_LETTERS
        self._similarity = similarity
        self.by_similarity = np.zeros(BINS, np.int64)
        self.num_compared = 0

    def look(self, pairs: Pairs) -> None:
        """Compare pairs of rows and join those that are alike."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        apart = np.flatnonzero(self._component[pairs[0]] != self._component[pairs[1]])
        left, right = pairs[0][apart], pairs[1][apart]
        alike = self._alike(left, right)
        self.num_compared += len(alike)
        known = alike[alike > 0]
        self.by_similarity += np.bincount(np.minimum((known * BINS).astype(np.int64), BINS - 1), minlength=BINS)
        near = np.flatnonzero(alike >= self._similarity)
        if not len(near):
            return
        ends = self._component[left[near]], self._component[right[near]]
        num = len(self._component)
        graph = coo_matrix((np.ones(len(near), np.bool_), ends), shape=(num, num))
        self._component = connected_components(graph, directed=False)[1].astype(np.int64)[self._component]

    def first_of(self) -> Ints:
        """(N,) the first row that each row is together with."""
        first = np.full(len(self._component), len(self._component), np.int64)
        np.minimum.at(first, self._component, np.arange(len(self._component)))
        return np.asarray(first[self._component])

    def _alike(self, left: Ints, right: Ints) -> Floats:
        """(M,) the similarity of the part that is least alike."""
        by_words = self._long[left] & self._long[right]
        alike = np.ones(len(left))
        for some, kinds in ((~by_words, self._letters), (by_words, self._words)):
            places = np.flatnonzero(some)
            for part in kinds if len(places) else ():
                found = part.jaccard(left[places], right[places], least=self._similarity)
                alike[places] = np.minimum(alike[places], found)
        return alike


@dataclass(frozen=True, kw_only=True)
class _Rows:
    fingerprint: npt.NDArray[np.uint64]
    num_letters: Ints
    spaced: Mask


_SKETCH = pa.struct([("fingerprint", pa.uint64()), ("num_letters", pa.int64()), ("spaced", pa.bool_()),
                     ("letters", pa.large_list(pa.uint32())), ("words", pa.large_list(pa.uint32()))])  # fmt: skip


def _sketched(
    chunks: Chunks, columns: Sequence[str], how: Sketching, tables: dict[str, BandFiles], ctx: StageContext
) -> _Rows:
    """Sketch every row by the engine; the bands go to disk."""

    def call(*parts: pa.Array) -> pa.Array:
        made = sketch([part.to_pylist() for part in parts], how)
        lists = [_lists(made.letters.T, made.by_letters), _lists(made.words.T, made.by_words)]
        return pa.StructArray.from_arrays(
            [pa.array(made.fingerprint), pa.array(made.num_letters), pa.array(made.spaced), *lists],
            fields=list(_SKETCH),
        )

    found: list[_Rows] = []
    num_rows = 0
    for made in mapped(chunks(None), columns, call, _SKETCH):
        values = [made.field(name).to_numpy(zero_copy_only=False) for name in ("fingerprint", "num_letters", "spaced")]
        rows = Sketches(fingerprint=values[0], num_letters=values[1], spaced=values[2], letters=_NONE, words=_NONE)
        for kind, has in (("letters", rows.by_letters), ("words", rows.by_words)):
            if has.any():
                keys = made.field(kind).flatten().to_numpy().reshape(int(has.sum()), -1)
                bits = np.ascontiguousarray(keys[:, -4:]).view(np.uint64)
                tables[kind].add(keys[:, :-4].T, bits, np.flatnonzero(has) + num_rows)
        found.append(_Rows(fingerprint=values[0], num_letters=values[1], spaced=values[2]))
        num_rows += len(made)
        ctx.check()
        ctx.say(num_rows, 0, f"{num_rows:,} texts sketched")
    return _Rows(
        fingerprint=np.concatenate([np.empty(0, np.uint64), *(one.fingerprint for one in found)]),
        num_letters=np.concatenate([np.empty(0, np.int64), *(one.num_letters for one in found)]),
        spaced=np.concatenate([np.empty(0, np.bool_), *(one.spaced for one in found)]),
    )


_NONE: Hashes = np.empty(0, np.uint32)


def _compared(chunks: Chunks, columns: Sequence[str], rows: _Rows, met: Mask, ctx: StageContext) -> list[ShingleSets]:
    """The sets by which the rows that met are compared: of each part those of letters, then those of words."""
    num_letters, spaced = rows.num_letters[met], rows.spaced[met]
    wanted = {
        "by_letters": ~spaced | (num_letters <= MOST_COMPARED_LETTERS / SLACK),
        "by_words": spaced & (num_letters > MOST_COMPARED_LETTERS),
    }
    fields = [pa.field(f"{column}_{by}", pa.large_list(pa.uint32())) for column in columns for by in wanted]
    made = [ShingleSets(ctx.scratch / f"{one.name}.shingles", ctx.num_threads) for one in fields]

    def call(*arrays: pa.Array) -> pa.Array:
        *parts, letters, words = arrays
        masks = [mask.to_numpy(zero_copy_only=False) for mask in (letters, words)]
        lists = [one for part in parts for one in _sets_of(fold(part.to_pylist()), *masks)]
        return pa.StructArray.from_arrays(lists, fields=fields)

    def marked() -> Iterator[pa.Table]:
        start = 0
        for chunk in chunks(met):
            end = start + chunk.num_rows
            masks = {name: pa.array(mask[start:end]) for name, mask in wanted.items()}
            yield pa.table({column: chunk.column(column) for column in columns} | masks)
            start = end

    num_done = 0
    for found in mapped(marked(), [*columns, *wanted], call, pa.struct(fields)):
        for kept, one in zip(made, fields, strict=True):
            lists = found.field(one.name)
            kept.add(lists.flatten().to_numpy(), np.diff(lists.offsets.to_numpy()))
        num_done += len(found)
        ctx.check()
        ctx.say(num_done, len(num_letters), f"{num_done:,} of {len(num_letters):,} texts that met are cut up")
    for kept in made:
        kept.close()
    return made


def _sets_of(folded: Folded, letters: Mask, words: Mask) -> Iterator[pa.Array]:
    for mask, shingles in ((letters, letter_shingles), (words, word_shingles)):
        hashes, ends = sets(*shingles(folded.take(np.flatnonzero(mask))))
        lengths = np.zeros(len(mask), np.int64)
        lengths[mask] = np.diff(ends)
        yield pa.LargeListArray.from_arrays(pa.array(ends_of(lengths)), pa.array(hashes))


def _lists(keys: Hashes, has: Mask) -> pa.Array:
    """(N,) lists: the next row of `keys` for each that has one, else an empty list."""
    return pa.LargeListArray.from_arrays(
        pa.array(ends_of(has * keys.shape[1])), pa.array(np.ascontiguousarray(keys).ravel())
    )
