"""Modelmint: from raw domain data to a paid model API that is gated, monitored and improves.

    import modelmint
    ws = modelmint.Workspace()
    run = ws.run("recipe.yaml")
    ws.predict("customer-service", ["where is my parcel?"])

Importing the package loads no heavy library and touches neither disk nor network.
"""

from typing import TYPE_CHECKING

from modelmint.core import bootstrap as _bootstrap  # first: turns every library's telemetry off

if TYPE_CHECKING:
    from modelmint.workspace import Workspace

__version__ = "0.1.0"
__all__ = ["Workspace", "__version__"]

_bootstrap.silence()


def __getattr__(name: str) -> object:
    if name == "Workspace":
        from modelmint.workspace import Workspace

        return Workspace
    raise AttributeError(f"module 'modelmint' has no attribute {name!r}; it has {', '.join(__all__)}")
