"""Bases from the hubs: only weights as safetensors, the config, the tokenizer, the model card, and the code that it brings
(to be read by a person, not run: `own_code`) are downloaded.

Of a base in several shards, those that its index names: they are known, and looked at, after the first download.
"""

from pathlib import Path
from typing import Any

from modelmint.core.errors import InputError, UnavailableError
from modelmint.training.shards import INDEX, WHOLE, shard_names

WANTED = (
    "config.json",
    WHOLE,
    INDEX,
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "vocab.txt",
    "README.md",
    "*.py",
)
TIMEOUT_S = 5.0
OFFLINE = (
    "Without the hub: `base: starter` needs no network; or download the base elsewhere and give its folder, "
    "which holds config.json, model.safetensors and tokenizer.json."
)


def from_hub(name: str) -> Path:
    """The folder of ``org/name`` of the Hugging Face hub: downloaded, or as it was downloaded before.

    ``HF_HUB_OFFLINE``, ``HF_ENDPOINT`` and ``HF_HOME`` are respected.

    Raises:
        InputError: the hub has no such base, or does not give it to you.
        UnavailableError: the hub cannot be reached, and the base was not downloaded before.
    """
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(WANTED), etag_timeout=TIMEOUT_S))
        if shards := shard_names(folder):
            wanted = [*WANTED, *shards]
            snapshot_download(name, revision=folder.name, allow_patterns=wanted, etag_timeout=TIMEOUT_S)
        return folder
    except RepositoryNotFoundError as error:
        raise InputError(
            f"base: the hub has no {name}, or does not give it to you without a token",
            parameter="base",
            remedy=f"Look the name up, or set HF_TOKEN. {OFFLINE}",
        ) from error
    except (HfHubHTTPError, httpx.HTTPError, OSError, ValueError) as error:
        raise _unreachable("the Hugging Face hub", name, error) from error


def from_modelscope(name: str) -> Path:
    """The folder of ``org/name`` of ModelScope (the extra `modelscope`)."""
    try:
        from modelscope import snapshot_download
    except ImportError as error:
        raise InputError(
            f"base: ms://{name} needs the extra `modelscope`, which is not installed",
            parameter="base",
            remedy=f"pip install 'modelmint[modelscope]'. {OFFLINE}",
        ) from error
    try:
        folder: Any = snapshot_download(name, allow_patterns=list(WANTED))
        if shards := shard_names(Path(folder)):
            snapshot_download(name, allow_patterns=[*WANTED, *shards])
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable("ModelScope", name, error) from error
    return Path(folder)


def _unreachable(hub: str, name: str, error: Exception) -> UnavailableError:
    why = str(error).strip().partition("\n")[0][:200]
    return UnavailableError(
        f"base: {name} must come from {hub}, which cannot be reached, and it was not downloaded "
        f"before ({type(error).__name__}: {why})",
        parameter="base",
        remedy=OFFLINE,
    )
