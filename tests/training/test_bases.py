"""resolve: names to folders, and what is refused."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import InputError, IntegrityError, UnavailableError
from modelmint.training.bases import resolve, starter
from modelmint.training.catalogue import CATALOGUE
from modelmint.training.encoders import load_encoder


def test_the_starter_is_on_this_machine_and_free_to_sell() -> None:
    base = resolve("starter")
    assert (base.licence, base.num_layers, base.max_tokens) == ("Apache-2.0", 6, 512)


def test_a_starter_with_one_byte_changed_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(resolve("starter").folder, tmp_path / "copy")
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(IntegrityError, match="53aa51172d14"):
        starter(folder)


def test_a_local_folder_tells_its_licence_by_its_card(base: Path) -> None:
    found = resolve(str(base))
    assert (found.name, found.licence, found.languages) == (base.name, "MIT", ("en",))


def test_other_weights_have_another_digest(base: Path, tmp_path: Path) -> None:
    other = shutil.copytree(base, tmp_path / "other")
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    assert resolve(str(other)).digest != resolve(str(base)).digest


def test_pickled_weights_are_refused(base: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled weights are not loaded"):
        resolve(str(folder))


@pytest.mark.parametrize("place", ["modeling_own.Own", "someone/else--modeling_own.Own"])
def test_a_base_that_needs_code_of_its_own_is_refused_and_the_code_not_run(
    base: Path, tmp_path: Path, place: str
) -> None:
    folder = with_code(base, tmp_path, {"model_type": "own", "auto_map": {"AutoConfig": place, "AutoModel": place}})
    with pytest.raises(InputError, match="needs code of its own"):
        resolve(str(folder))
    assert not (tmp_path / "ran").exists()


def test_of_a_known_family_the_code_that_lies_beside_is_not_run(base: Path, tmp_path: Path) -> None:
    folder = with_code(base, tmp_path, {"auto_map": {"AutoModel": "modeling_own.Own"}})
    assert load_encoder(resolve(str(folder)).folder).config.model_type == "bert"
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_a_tokenizer_is_refused(base: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base, tmp_path / "bare")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"bare lacks tokenizer\.json"):
        resolve(str(folder))


@pytest.mark.parametrize("name", ["startr", "./nowhere", "hf://one-part", "a/b/c"])
def test_a_base_that_does_not_exist_names_the_choices(name: str) -> None:
    with pytest.raises(InputError, match=r"must be one of starter, BAAI/bge-small-en-v1\.5"):
        resolve(name)


def test_a_near_miss_is_named() -> None:
    with pytest.raises(InputError, match="Did you mean starter"):
        resolve("startr")


def test_an_unreachable_hub_is_an_early_error_that_names_what_works_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants

    # Nothing listens on port 9 here: the hub as it is behind a firewall.
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="`base: starter` needs no network"):
        resolve("hf://modelmint-tests/absent")
    assert time.monotonic() - began < 10


def test_modelscope_without_its_library_names_the_extra() -> None:
    with pytest.raises((InputError, UnavailableError), match="modelmint"):
        resolve("ms://modelmint-tests/absent")


def test_every_base_of_the_catalogue_says_what_one_must_know() -> None:
    for entry in CATALOGUE.values():
        assert all((entry.licence, entry.size_bytes, entry.num_layers, entry.hidden_size))
        assert bool(entry.languages) == (entry.kind != "image")


def with_code(base: Path, tmp_path: Path, changes: dict[str, Any]) -> Path:
    """A copy whose config says that code must be run, with code that leaves a trace."""
    folder = shutil.copytree(base, tmp_path / "coded")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    (folder / "modeling_own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Own: pass\n")
    return folder
