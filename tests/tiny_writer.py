"""A real chat model in miniature that has learned four answers, and its variants for serving; trained once a process."""

import dataclasses
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
from tests.tiny_causal import chats, learner, write_causal

FACTS: dict[str, Any] = {"task": "chat", "base": "base", "languages": ["en"], "engine": "torch"}


@lru_cache(maxsize=1)
def chat_folder() -> Path:
    """The trained folder."""
    home = Path(tempfile.mkdtemp(prefix="tiny-writer-"))
    catalog = Catalog(Settings.read({}, home=home / "home"))
    desk = StagingDesk(
        folder=home / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=home / "desk"
    )
    for name in ("scratch", "checkpoints"):
        (home / name).mkdir()
    learn = learner(
        a_context(home, desk),
        write_causal(home / "base", width=64),
        task="chat",
        validation=chats(40, seed=9),
        learning_rate=1e-2,
    )
    made = learn(chats(300), epochs=4)
    folder = shutil.copytree(made.model.files.folder(), home / "chat")
    catalog.close()
    return folder


def a_context(home: Path, desk: StagingDesk) -> StageContext:
    return StageContext(
        desk=desk,
        scratch=home / "scratch",
        checkpoints=home / "checkpoints",
        seed=17,
        num_threads=1,
        machine_hour="0.10 USD",
        say=lambda _done, _total, _message: None,
        serve=None,  # type: ignore[arg-type]  # nothing is served
    )


def trained_chat(desk: StagingDesk) -> Model:
    """The trained model as an artifact."""
    from modelmint.training.tasks.table import read_about

    about = read_about(chat_folder())
    said = {key: about[key] for key in ("max_tokens", "stop_ids", "pad_id")}
    return desk.model("chat", chat_folder(), facts=FACTS | said, licences=["MIT"])


def chat_variant(context: StageContext, name: str = "genai-fp32") -> Path:
    """A variant's folder."""
    return Workshop(trained_chat(context.desk), dataclasses.replace(context, num_threads=1)).make(name)  # type: ignore[arg-type]


def deploy_chat(catalog: Catalog, work: Path, *, endpoint: str = "helper", price: str = "0.50 USD") -> Revision:
    """An endpoint that answers chats."""
    desk = StagingDesk(
        folder=work / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=work / "desk"
    )
    for name in ("scratch", "checkpoints"):
        (work / name).mkdir(parents=True)
    model = trained_chat(desk)
    workshop = Workshop(model, a_context(work, desk))
    variant = workshop.lay_down("genai-int8", workshop.make("genai-int8"))
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    return deploy(catalog, endpoint=endpoint, model=model.id, variant=variant.id, price=price)
