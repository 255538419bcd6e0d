"""text-dedup's minhash script, as its command runs it; then the cluster of each row. Run in the peer's environment.

python run_text_dedup.py INPUT.parquet FOLDER NGRAM
"""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

source, folder, ngram = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
subprocess.run(
    [
        sys.executable, "-m", "text_dedup.minhash", "--path", "parquet", "--data_files", source, "--split", "train",
        "--cache_dir", str(folder / "cache"), "--output", str(folder / "out"), "--column", "spaced",
        "--batch_size", "10000", "--ngram", ngram, "--min_length", "0", "--threshold", "0.7", "--num_perm", "128",
        "--hash_func", "xxh3", "--num_proc", "2", "--no-clean_cache", "--debug",
    ],
    check=True, cwd=folder,
)  # fmt: skip
print("done", flush=True)
with (folder / "out" / "uf.pkl").open("rb") as stream:  # written by the line above, in this folder
    joined = pickle.load(stream)
np.save(folder / "clusters.npy", np.array([joined.find(row) for row in range(pq.read_metadata(source).num_rows)]))
