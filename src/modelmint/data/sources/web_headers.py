"""What a response's headers say of its body: which file suffix it gets, and where the next page is."""


def suffix_for(content_type: str, path: str) -> str:
    """The file suffix of a body: the URL's own where that is known, else by its media type; ``.txt`` at last."""
    last = path.partition("?")[0].rpartition("/")[2].lower()
    packed = next((packing for packing in (".gz", ".bz2", ".xz") if last.endswith(packing)), "")
    stem = last.removesuffix(packed)
    own = next((known for known in _SUFFIXES.values() if stem.endswith(known)), "")
    if content_type in _VAGUE or (own and _SUFFIXES.get(content_type, own) == own):
        return own + packed if own or packed else ".txt"
    return _SUFFIXES.get(content_type) or own + packed or ".txt"


def next_link(header: str) -> str | None:
    """The target of ``rel="next"`` in a Link header (RFC 8288)."""
    for part in header[:8000].split(","):
        where, *marks = part.split(";")
        if any(mark.replace(" ", "").replace('"', "").lower() == "rel=next" for mark in marks):
            return where.strip().removeprefix("<").removesuffix(">") or None
    return None


_SUFFIXES = {
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/x-ndjson": ".jsonl",
    "application/ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/json": ".json",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.apache.arrow.file": ".arrow",
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/x-tar": ".tar",
    "application/zip": ".zip",
    "text/plain": ".txt",
}
_VAGUE = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream", "application/gzip",
                    "application/x-gzip", "application/x-bzip2", "application/x-xz", "application/x-tar"})  # fmt: skip
