import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import deploy, rollback
from modelmint.core.errors import NotFoundError, UnavailableError
from modelmint.serving.gateway import Gateway
from tests.tiny_variant import deploy_variant, publish_variant


def run(catalog: Catalog, steps: Callable[[Gateway], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        gateway = Gateway(catalog, num_threads=1)
        await gateway.start()
        try:
            await steps(gateway)
        finally:
            await gateway.close()

    asyncio.run(main())


async def label(gateway: Gateway, text: str = "money") -> str:
    served = await gateway.predict("support", [text], deadline_s=10)
    return str(served.labels[int(served.logits[0].argmax())])


def test_an_endpoint_that_does_not_exist_names_those_that_do(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path)

    async def steps(gateway: Gateway) -> None:
        with pytest.raises(NotFoundError, match="'suport'; there are support"):
            await gateway.predict("suport", ["x"], deadline_s=10)

    run(catalog, steps)


def test_an_endpoint_made_a_moment_ago_is_served(catalog: Catalog, tmp_path: Path) -> None:
    async def steps(gateway: Gateway) -> None:
        deploy_variant(catalog, tmp_path)
        assert await label(gateway) == "refund"

    run(catalog, steps)


def test_a_new_revision_and_a_rollback_take_effect_within_a_second_and_lose_no_request(
    catalog: Catalog, tmp_path: Path
) -> None:
    deploy_variant(catalog, tmp_path / "1")
    seen: list[str] = []

    async def steps(gateway: Gateway) -> None:
        async def until(wanted: str) -> None:
            started = time.monotonic()
            while await label(gateway) != wanted:
                assert time.monotonic() - started < 1
                await asyncio.sleep(0.01)

        async def traffic() -> None:
            while True:
                seen.append(await label(gateway))

        load = [asyncio.create_task(traffic()) for _ in range(4)]
        await asyncio.sleep(0.1)
        deploy_variant(catalog, tmp_path / "2", labels=("A", "B", "C"))
        await until("A")
        rollback(catalog, "support")
        await until("refund")
        assert not any(task.done() for task in load)  # none met an error
        for task in load:
            task.cancel()

    run(catalog, steps)
    assert set(seen) == {"refund", "A"}


def test_a_variant_that_does_not_load_leaves_the_old_revision_serving(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path / "1")

    async def steps(gateway: Gateway) -> None:
        deploy_variant(catalog, tmp_path / "2", labels=("too", "few"))
        await gateway.refresh()
        assert await label(gateway) == "refund"

    run(catalog, steps)


def test_an_endpoint_whose_only_variant_does_not_load_says_so(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path, labels=("too", "few"))

    async def steps(gateway: Gateway) -> None:
        with pytest.raises(UnavailableError, match="could not be loaded: variant: 2 labels"):
            await label(gateway)

    run(catalog, steps)


def test_two_endpoints_with_one_variant_share_its_engine(catalog: Catalog, tmp_path: Path) -> None:
    variant = publish_variant(catalog, tmp_path).id
    for endpoint in ("support", "sales"):
        deploy(catalog, endpoint=endpoint, model=variant, variant=variant, price="0 USD")

    async def steps(gateway: Gateway) -> None:
        served = await asyncio.gather(
            *(gateway.predict(name, ["money"], deadline_s=10) for name in ("support", "sales"))
        )
        assert served[0].labels is served[1].labels

    run(catalog, steps)
