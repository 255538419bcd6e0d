"""Serving a model that is not released: the real server on an empty home and a free loopback port.

Nothing of it is special: a catalog, a deployment, a key, the gateway, the batcher, the journal. So what parity measures
is what a customer will get.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelmint.business.keys import create
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import deploy
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import StageError
from modelmint.core.settings import Settings
from modelmint.core.stage import Endpoint
from modelmint.core.types import Model
from modelmint.loop.processes import end, start

ENDPOINT = "candidate"


@contextmanager
def candidate(model: Model, *, home: Path) -> Iterator[Endpoint]:
    """Serve `model` for as long as the context lasts; `home` is removed afterwards.

    Raises:
        StageError: the server did not come up.
    """
    settings = Settings.read({}, home=home)
    key = _prepare(model, settings)
    log = home / "server.log"
    with log.open("w") as sink:
        server = start(
            "modelmint.api.server",
            "--home",
            str(home),
            "--port",
            "0",
            stdout=subprocess.PIPE,
            stderr=sink.fileno(),
            isolated=True,
        )
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line:
                raise StageError(
                    f"parity: the candidate server did not come up: {log.read_text()[-2000:]}", parameter="parity"
                )
            yield Endpoint(url=json.loads(line)["url"], name=ENDPOINT, key=key)
        finally:
            end(server)
            shutil.rmtree(home, ignore_errors=True)


def _prepare(model: Model, settings: Settings) -> str:
    """An empty home that holds this one model, deployed, and a key for it."""
    catalog = Catalog(settings)
    desk = StagingDesk(
        folder=settings.scratch / "staged",
        tenant=catalog.tenant,
        tenant_key=catalog.tenant_key,
        scratch=settings.scratch / "desk",
    )
    copy = desk.model(model.name, model.files.folder(), facts=model.facts)
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    deploy(catalog, endpoint=ENDPOINT, model=copy.id, variant=copy.id, price="0 USD", actor="parity")
    key = create(catalog, "parity", ("predict",), actor="parity").secret
    catalog.close()
    return key
