"""Bases that are on this machine: in the hub's cache, in folders, and what cannot be used."""

import shutil
from pathlib import Path

import pytest

from modelmint.training.nearby import nearby


@pytest.fixture
def cache(base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the hub that holds one base."""
    import huggingface_hub.constants

    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    repository = folder / "models--acme--tiny--bert"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    shutil.copytree(base, repository / "snapshots" / "abc")
    return folder


def test_a_base_in_the_cache_of_the_hub_has_its_name_there(cache: Path) -> None:
    found, _ = nearby()
    assert found["acme/tiny--bert"].licence == "MIT"


def test_bases_are_found_in_a_folder_of_bases_and_as_a_folder(cache: Path, base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "bases" / "first")
    found, _ = nearby([tmp_path / "bases", base])
    assert {str(tmp_path / "bases" / "first"), str(base.resolve())} <= set(found)


def test_a_cached_base_with_pickled_weights_alone_is_named_as_unusable(cache: Path) -> None:
    weights = next(cache.rglob("model.safetensors"))
    weights.rename(weights.with_name("pytorch_model.bin"))
    found, unusable = nearby()
    assert "acme/tiny--bert" not in found
    assert "pickled weights are not loaded" in unusable["acme/tiny--bert"]


def test_a_folder_that_is_not_there_holds_no_bases(cache: Path, tmp_path: Path) -> None:
    found, unusable = nearby([tmp_path / "absent"])
    assert set(found) <= {"starter", "acme/tiny--bert"}
    assert not unusable
