"""The application: its routes, and what they share while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from modelmint import __version__
from modelmint.api import errors, limits
from modelmint.api.routes import (
    catalog,
    chat,
    completions,
    feedback,
    predict,
    runs,
    searches,
    system,
    usage,
    versions,
)
from modelmint.business.service import open_services
from modelmint.core.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The HTTP application of one installation; its lifespan opens the catalog, the journal and the gateway."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Modelmint", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    for routes in (system, predict, searches, chat, completions, feedback, runs, catalog, versions, usage):
        app.include_router(routes.router)
    errors.install(app)
    app.add_middleware(limits.BodyLimits)
    app.add_middleware(limits.RequestIds)
    return app
