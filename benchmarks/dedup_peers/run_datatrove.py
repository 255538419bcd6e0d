"""datatrove's four MinHash steps; then the cluster of each row. Run in the peer's environment.

    python run_datatrove.py INPUT.parquet FOLDER NGRAM/BUCKETSxHASHES

Words are found by spaces in place of its default tokenizer (spaCy), which is slower.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import minhash
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import JsonlWriter

WORKERS = 2


class Spaces:
    def word_tokenize(self, text: str) -> list[str]:
        return text.split()


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    ngram, num_buckets, num_hashes = map(int, re.split("[/x]", sys.argv[3]))
    rows = pq.read_table(source, columns=["id", "spaced"])
    (folder / "in").mkdir()
    for part in range(WORKERS):  # a task takes whole files
        low, high = (rows.num_rows * at // WORKERS for at in (part, part + 1))
        pq.write_table(rows.slice(low, high - low), folder / "in" / f"{part}.parquet")
    config = MinhashConfig(n_grams=ngram, num_buckets=num_buckets, hashes_per_bucket=num_hashes)

    def reader() -> ParquetReader:
        return ParquetReader(str(folder / "in"), text_key="spaced", id_key="id")

    minhash.load_word_tokenizer = lambda _language: Spaces()
    signature = MinhashDedupSignature(output_folder=str(folder / "signatures"), config=config)
    buckets = MinhashDedupBuckets(
        input_folder=str(folder / "signatures"), output_folder=str(folder / "buckets"), config=config
    )
    cluster = MinhashDedupCluster(
        input_folder=str(folder / "buckets"), output_folder=str(folder / "remove"), config=config,
        save_cluster_id=True, save_cluster_size=True,
    )  # fmt: skip
    removing = MinhashDedupFilter(
        input_folder=str(folder / "remove"),
        load_cluster_ids=True,
        exclusion_writer=JsonlWriter(str(folder / "gone"), compression=None),
    )
    for name, steps, tasks in (
        ("1", [reader(), signature], WORKERS),
        ("2", [buckets], num_buckets),
        ("3", [cluster], 1),
        ("4", [reader(), removing, JsonlWriter(str(folder / "out"), compression=None)], WORKERS),
    ):
        LocalPipelineExecutor(
            pipeline=steps, tasks=tasks, workers=WORKERS if tasks > 1 else 1, logging_dir=str(folder / "logs" / name)
        ).run()
    print("done", flush=True)
    clusters = -1 - np.arange(rows.num_rows)
    for file in [*(folder / "out").glob("**/*.jsonl"), *(folder / "gone").glob("**/*.jsonl")]:
        for row in map(json.loads, file.open()):
            found = row["metadata"].get("minhash_cluster_id", -1)
            if found >= 0:
                clusters[int(row.get("id", 0))] = found  # an id of 0 is left out
    np.save(folder / "clusters.npy", clusters)


if __name__ == "__main__":
    main()
