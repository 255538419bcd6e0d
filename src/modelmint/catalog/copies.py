"""An artifact's own files in a folder of the user's, to walk away with."""

import json
import shutil
from pathlib import Path

from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError


def copy_out(catalog: Catalog, identifier: str, target: Path) -> Path:
    """Copy every file, and the manifest as ``manifest.json``, into a new or empty folder.

    Raises:
        NotFoundError: there is no such artifact.
        InputError: the folder exists and is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise InputError(
            f"folder: must be new or empty; {target} is not", parameter="folder", remedy="Give another folder."
        )
    artifact = catalog.get(identifier)
    try:
        shutil.copytree(artifact.files.folder(), target, dirs_exist_ok=True)
    finally:
        catalog.forget_copies()
    manifest = json.dumps(artifact.manifest, indent=2, ensure_ascii=False)
    (target / "manifest.json").write_text(manifest, encoding="utf-8")
    return target
