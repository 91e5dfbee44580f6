"""A connection to the scheduler of a cluster: by its address, its certificates, or its object."""

from __future__ import annotations

import re
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from mcbrain.errors import InputError

__all__ = ["Client", "SecuredAddress", "connected", "other_versions", "secured"]

T = TypeVar("T")

_PATIENCE = 20.0  # seconds that the scheduler has to answer
_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?)://)?(?P<host>\[[^\]]+\]|[^:/\s]+):(?P<port>\d+)")
# Packages that have to understand one another's messages.
_SPEAKERS = ("dask", "distributed", "msgpack", "cloudpickle")


class _Scheduler(Protocol):
    """What is asked of a client's scheduler."""

    @property
    def address(self) -> str: ...


class _Client(Protocol):
    """What is asked of a `dask.distributed.Client`, whose own methods have no types."""

    @property
    def asynchronous(self) -> bool: ...
    @property
    def status(self) -> str: ...
    @property
    def scheduler(self) -> _Scheduler: ...
    def get_executor(self, *, pure: bool, retries: int) -> Executor: ...
    def get_versions(self) -> Mapping[str, Any]: ...
    def nthreads(self) -> Mapping[str, int]: ...
    def run(self, function: Callable[[], T], *, workers: list[str]) -> Mapping[str, T]: ...
    def close(self, timeout: float) -> None: ...


Client: TypeAlias = _Client  # dask documents its methods


@dataclass(frozen=True)
class SecuredAddress:
    """The address of a scheduler with the files of the certificates that it asks for.

    Attributes
    ----------
    address : str
        Such as "tls://HOST:PORT".
    ca_file, cert, key : str or None
        Files in PEM of the authority, of this machine's certificate, and of its private key; None
        takes the one that dask's configuration names.
    """

    address: str
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None


def secured(
    address: str | None, ca_file: str | None, cert: str | None, key: str | None
) -> str | SecuredAddress | None:
    """An address with the certificates that a command line names beside it, if any.

    Parameters
    ----------
    address : str or None
        Of a scheduler; None where blocks are computed on this machine.
    ca_file, cert, key : str or None
        Files of certificates; see `SecuredAddress`.

    Returns
    -------
    str, SecuredAddress or None
        What `connected` takes; None where there is no cluster.

    Raises
    ------
    InputError
        There are certificates and no address.
    """
    if ca_file is cert is key is None:
        return address
    if address is None:
        raise InputError("certificates are those of a cluster: add --cluster tls://HOST:PORT")
    return SecuredAddress(address, ca_file, cert, key)


@contextmanager
def connected(cluster: object) -> Iterator[Client]:
    """A client of a cluster.

    Parameters
    ----------
    cluster : object
        An address (a number alone is a port of this machine) as text or as a SecuredAddress, an
        object of dask that has workers started (such as `dask_jobqueue.SLURMCluster`), or a client.

    Yields
    ------
    Client
        The given one, which stays open, or one of its own.

    Raises
    ------
    InputError
        It is none of these, no scheduler answers, its certificates are missing, or the client
        cannot be waited for.
    """
    from distributed import Client as Dask

    if isinstance(cluster, Dask):
        client = cast("Client", cluster)
        if client.asynchronous:
            raise InputError("cluster: an asynchronous client cannot be waited for; use another")
        yield client
        return
    client = _connect(cast("Callable[..., Client]", Dask), cluster)
    try:
        yield client
    finally:
        client.close(timeout=2)


def other_versions(client: Client) -> str:
    """Which versions a scheduler and its workers have that this machine does not have.

    Parameters
    ----------
    client : Client
        Connected to them.

    Returns
    -------
    str
        A sentence; empty where all have the same.
    """
    found = client.get_versions()
    here = _speakers(found["client"])
    others = {"the scheduler": found["scheduler"]}
    others |= {f"the worker {address}": said for address, said in found["workers"].items()}
    for name, said in others.items():
        there = _speakers(said) if said else {}
        for package, version in there.items():
            if version != here[package]:
                return (
                    f"{name} has {package} {version}, this machine has {here[package]}; they may "
                    "not understand one another, so it is best if all have the same"
                )
    return ""


def _speakers(said: Mapping[str, Any]) -> dict[str, str]:
    """Versions of what messages are written and read by, as `Client.get_versions` has them."""
    python = str(dict(said["host"])["python"]).split(".")[:2]
    packages = {name: str(said["packages"].get(name)) for name in _SPEAKERS}
    return {"Python": ".".join(python), **packages}


def _connect(connect: Callable[..., Client], cluster: object) -> Client:
    """A client of the scheduler at an address, or of a cluster that is an object."""
    if isinstance(cluster, str):
        return _at_address(connect, SecuredAddress(cluster))
    if isinstance(cluster, SecuredAddress):
        return _at_address(connect, cluster)
    address = getattr(cluster, "scheduler_address", None)
    if not isinstance(address, str):
        raise InputError(
            f"cluster = {cluster!r}: an address, a dask.distributed.Client, or a cluster of dask "
            "such as dask_jobqueue.SLURMCluster"
        )
    try:
        return _silently(connect, cluster)
    except (OSError, RuntimeError, ValueError, TypeError, ImportError) as error:
        raise _unheard(f"cluster at {address}", error) from None


def _at_address(connect: Callable[..., Client], given: SecuredAddress) -> Client:
    """A client of the scheduler at an address, once something is seen to listen there."""
    named = f"--cluster {given.address}"
    address = f"tcp://127.0.0.1:{given.address}" if given.address.isdigit() else given.address
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise InputError(f"{named}: the form is tcp://HOST:PORT, or a port alone")
    security, context = _certificates(address, given)
    try:
        host, port = found["host"].strip("[]"), int(found["port"])
        with socket.create_connection((host, port), _PATIENCE) as heard:
            if context is not None:
                context.wrap_socket(heard, server_hostname=host).close()
        return _silently(connect, address, security=security)
    except (OSError, OverflowError, ValueError, TypeError, ImportError) as error:
        raise _unheard(named, error) from None


def _silently(connect: Callable[..., Client], to: object, **options: object) -> Client:
    """A client; what dask says of versions is said by `other_versions`, in a sentence."""
    with warnings.catch_warnings():
        from distributed.versions import VersionMismatchWarning

        warnings.simplefilter("ignore", VersionMismatchWarning)
        return connect(to, timeout=_PATIENCE, set_as_default=False, **options)


def _unheard(named: str, error: Exception) -> InputError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{named}: no scheduler answers there ({reason})")


# Any: dask's own types have none.
def _certificates(address: str, given: SecuredAddress) -> tuple[Any, ssl.SSLContext | None]:
    """What dask and a socket need for a secured address; nothing without TLS."""
    files = {"tls_ca_file": given.ca_file, "tls_client_cert": given.cert,
             "tls_client_key": given.key}  # fmt: skip
    named = {name: file for name, file in files.items() if file is not None}
    if not address.startswith(("tls:", "wss:")):
        if named:
            raise InputError(
                f"--cluster {given.address}: certificates are for addresses that begin with tls://"
            )
        return None, None
    for file in named.values():
        if not Path(file).is_file():
            raise InputError(f"--cluster {given.address}: there is no certificate {file}")
    from distributed import security

    settings: Any = security  # Any: dask's own functions have no types
    try:
        found = settings.Security(**named)
        context: ssl.SSLContext | None = found.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--cluster {given.address}: its certificates cannot be used ({error})"
        ) from None
    if context is None:
        raise InputError(
            f"--cluster {given.address}: certificates are needed; name their files by "
            "--tls-ca-file, --tls-cert and --tls-key, or under distributed.comm.tls in dask's "
            "configuration"
        )
    return found, context
