"""A real language model in miniature, of letters and from nothing, and its variants for serving; trained once a process."""

import dataclasses
import random
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import Revision, deploy
from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.variants import Workshop
from modelmint.core.settings import Settings
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.training.train import TrainInputs, TrainSpec, train
from tests.tiny_causal import rows_of
from tests.tiny_writer import a_context

MAX_TOKENS = 24
SPEC: dict[str, Any] = {
    "base": "none",
    "architecture": {"name": "transformer", "num_layers": 2, "width": 64, "num_heads": 2},
    "tokenizer": "characters",
    "max_tokens": MAX_TOKENS,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "epochs": 30,
    "precision": "fp32",
    "options": {"packing": "rows"},
}


def sayings(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of a text that counts from a number on, in words."""
    dice, words = random.Random(seed), ("one", "two", "three", "four", "five", "six")
    return [
        {"text": " ".join(words[(start + at) % 6] for at in range(3))} for start in dice.choices(range(6), k=num_rows)
    ]


@lru_cache(maxsize=1)
def language_folder() -> Path:
    """The trained folder."""
    home = Path(tempfile.mkdtemp(prefix="tiny-language-"))
    catalog = Catalog(Settings.read({}, home=home / "home"))
    desk = StagingDesk(
        folder=home / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=home / "desk"
    )
    for name in ("scratch", "checkpoints"):
        (home / name).mkdir()
    context = a_context(home, desk)
    inputs = TrainInputs(
        train=rows_of(context, "text-generation", "train", sayings(120)),
        validation=rows_of(context, "text-generation", "validation", sayings(30, seed=9)),
    )
    made = train(TrainSpec(**SPEC), inputs, context)
    folder = shutil.copytree(made.model.files.folder(), home / "language")
    catalog.close()
    return folder


def trained_language(desk: StagingDesk) -> Model:
    """The trained model as an artifact."""
    from modelmint.training.tasks.table import read_about

    folder = language_folder()
    about = read_about(folder)
    said = {key: about[key] for key in ("task", "base", "max_tokens", "stop_ids")}
    return desk.model("language", folder, facts={**said, "languages": ["en"], "engine": "torch"}, licences=["MIT"])


def language_variant(context: StageContext, name: str = "genai-fp32") -> Path:
    """A variant's folder."""
    model = trained_language(context.desk)  # type: ignore[arg-type]
    return Workshop(model, dataclasses.replace(context, num_threads=1)).make(name)


def deploy_language(catalog: Catalog, work: Path, *, endpoint: str = "poet", price: str = "0.50 USD") -> Revision:
    """An endpoint that goes on with texts."""
    desk = StagingDesk(
        folder=work / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=work / "desk"
    )
    for name in ("scratch", "checkpoints"):
        (work / name).mkdir(parents=True)
    model = trained_language(desk)
    workshop = Workshop(model, a_context(work, desk))
    variant = workshop.lay_down("genai-int8", workshop.make("genai-int8"))
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    return deploy(catalog, endpoint=endpoint, model=model.id, variant=variant.id, price=price)
