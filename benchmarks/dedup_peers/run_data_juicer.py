"""py-data-juicer's document_minhash_deduplicator, as its executor calls it; then the cluster of each row.

    python run_data_juicer.py INPUT.parquet FOLDER NGRAM

Run in the peer's environment. NGRAM is words; with a c before it, letters.
"""

import sys
from pathlib import Path

import numpy as np
from data_juicer.ops.deduplicator import document_minhash_deduplicator as module
from datasets import load_dataset

source, folder, ngram = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
kept: list[object] = []


class Watched(module.UnionFind):  # the clusters are not part of what it gives back
    def __init__(self) -> None:
        super().__init__()
        kept.append(self)


module.UnionFind = Watched
letters = ngram.startswith("c")
step = module.DocumentMinhashDeduplicator(
    tokenization="character" if letters else "space", window_size=int(ngram.lstrip("c")), lowercase=True,
    num_permutations=128, jaccard_threshold=0.7, text_key="text" if letters else "spaced",
)  # fmt: skip
rows = load_dataset("parquet", data_files=source, split="train", cache_dir=str(folder / "cache"))
hashed = rows.map(step.compute_hash, num_proc=2)
left, _ = step.process(hashed)
left.to_parquet(str(folder / "out.parquet"))
print("done", flush=True)
np.save(folder / "clusters.npy", np.array([kept[-1].find(row) for row in range(len(rows))]))
