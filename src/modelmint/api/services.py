"""How a route gets what it uses, and says which permission it needs."""

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from modelmint.business.keys import Key, bad_key
from modelmint.business.service import Services


async def services(request: Request) -> Services:
    """Those of the application that the request came to. Async, or FastAPI would run it in a thread."""
    found: Services = request.app.state.services
    return found


def needs(scope: str) -> Any:
    """A dependency: the request must carry a key that has this scope; its value is the `Key`."""
    return Security(_authenticate, scopes=[scope])


Shared = Annotated[Services, Depends(services)]

_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `mm_…`")


async def _authenticate(
    shared: Annotated[Services, Depends(services)],
    required: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Key:
    if credentials is None:
        raise bad_key()
    keyring, presented, (scope,) = shared.keyring, credentials.credentials, required.scopes
    known = keyring.cached(presented, scope)
    return known if known is not None else await asyncio.to_thread(keyring.check, presented, scope)
