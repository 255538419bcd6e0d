"""A connection to a Ray cluster, for as long as a stage needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from modelmint.core.errors import UnavailableError

LOCAL_RAY = "local"
"""As an address: a Ray of this machine alone, which starts and ends with the stage."""


@contextmanager
def connected(address: str, num_threads: int) -> Iterator[None]:
    """A connection to a cluster; or a Ray of this machine alone, on the loopback device, whose folder goes with it.

    Raises:
        UnavailableError: Ray is not installed, or nothing answers at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise UnavailableError(
            "engine: ray is not installed",
            parameter="engine",
            remedy="pip install 'modelmint[ray]', or leave engine out.",
        ) from error
    quiet = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:  # short: its sockets lie in it
        own = {
            "num_cpus": num_threads,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
        }
        try:
            ray.init(address=address, **quiet, **(own if address == LOCAL_RAY else {}))
        except (ConnectionError, RuntimeError, OSError, ValueError) as error:
            raise UnavailableError(
                f"MODELMINT_RAY_ADDRESS: no Ray answers at {address}: {error}",
                parameter="MODELMINT_RAY_ADDRESS",
                remedy="Start it (`ray start --head`), mend the address, or unset it to run on this machine.",
            ) from error
        try:
            yield
        finally:
            ray.shutdown()
