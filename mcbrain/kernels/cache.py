"""Machine code between processes: loaded where it is whole, compiled where it is not.

Whatever goes wrong with a file costs compiling again and nothing else. An entry that cannot be read
is written anew; one that cannot be written is left, and the account says why.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from numba import types
from numba.core.compiler import CompileResult
from numba.core.cpu import CPUContext
from numba.core.serialize import dumps
from numba.core.typing.templates import Signature

from mcbrain.kernels.cache_folder import cache_folder, distrust, make_folder, safe_file

__all__ = ["ACCOUNT", "Account", "KernelCache", "keeps", "watching"]

Arguments = Signature | tuple[types.Type, ...]
"""What a dispatcher looks machine code up by."""

_HEAD = b"mcbrain machine code 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass
class Account:
    """What this process compiled, and why that could not be kept.

    Attributes
    ----------
    compiled : int
        Functions compiled, for want of machine code that could be loaded.
    missed : int
        Functions whose machine code was not there when first looked for.
    unkept : str
        The first reason why machine code was not kept or not used; empty if there was none.
    compiling : callable, optional
        Called when a function must be compiled, before it is.
    watched : bool
        Whether kernels are being compiled or loaded now.
    """

    compiled: int = 0
    missed: int = 0
    unkept: str = ""
    compiling: Callable[[], None] | None = None
    watched: bool = False

    def miss(self) -> None:
        """Count a function whose machine code is not there."""
        self.missed += 1
        if self.compiling is not None:
            self.compiling()

    def not_kept(self, why: str) -> None:
        """Keep the first reason; the others repeat it.

        Parameters
        ----------
        why : str
            Why machine code was not kept.
        """
        self.unkept = self.unkept or why


ACCOUNT = Account()


@contextmanager
def watching(compiling: Callable[[], None]) -> Iterator[Account]:
    """Call a function when the first kernel must be compiled; the account so far.

    Parameters
    ----------
    compiling : callable
        Called at most once, before the compiler works; machine code that it brings is loaded.

    Yields
    ------
    Account
        What was compiled and missed, as it goes on.
    """

    def once() -> None:
        ACCOUNT.compiling = None
        compiling()

    ACCOUNT.compiling, ACCOUNT.watched = once, True
    try:
        yield ACCOUNT
    finally:
        ACCOUNT.compiling, ACCOUNT.watched = None, False


class KernelCache:
    """The cache of a kernel, as Numba's dispatchers use one: an entry for each signature.

    Parameters
    ----------
    name : str
        Module and name of the kernel: with the state of all sources, that is the kernel.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def cache_path(self) -> str | None:
        """Where entries are kept."""
        try:
            return str(cache_folder())
        except OSError:
            return None

    def load_overload(self, signature: Arguments, target: CPUContext) -> CompileResult | None:
        """Return a compiled function from its entry, or None: it must be compiled.

        Parameters
        ----------
        signature : tuple of numba types, or Signature
        target : numba.core.cpu.CPUContext

        Returns
        -------
        CompileResult or None
        """
        target.refresh()
        found = self._try(signature, target)
        if found is None:
            ACCOUNT.miss()  # in which others may have compiled it
            found = self._try(signature, target)
            ACCOUNT.compiled += found is None
        return found

    def _try(self, signature: Arguments, target: CPUContext) -> CompileResult | None:
        """Return a compiled function, or None whatever is the matter with its entry."""
        try:
            return self._load(signature, target)
        except Exception:  # whatever a damaged file leads to
            return None

    def _load(self, signature: Arguments, target: CPUContext) -> CompileResult | None:
        """Return a compiled function from its entry, if there is one that is whole."""
        folder = cache_folder()
        if why := distrust(folder):
            ACCOUNT.not_kept(why)
            return None
        with (folder / self._entry(signature)).open("rb") as source:
            if not safe_file(source.fileno()):
                return None
            content = source.read()
        head, payload = content[: len(_HEAD) + _DIGEST_BYTES], content[len(_HEAD) + _DIGEST_BYTES :]
        if head != _HEAD + hashlib.sha256(payload).digest():
            return None
        # Only what the user or root alone can have written comes here (`safe_file`).
        kept, parts = pickle.loads(payload)
        return CompileResult._rebuild(target, *parts) if kept == signature else None

    def save_overload(self, signature: Arguments, compiled: CompileResult) -> None:
        """Write an entry, or note why it cannot be written.

        Parameters
        ----------
        signature : tuple of numba types, or Signature
        compiled : numba.core.compiler.CompileResult
        """
        try:
            folder = cache_folder()
            make_folder(folder)
            if why := distrust(folder):
                ACCOUNT.not_kept(why)
                return
            payload = dumps((signature, compiled._reduce()))
            digest = hashlib.sha256(payload).digest()
            _replace(folder / self._entry(signature), _HEAD + digest + payload)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            ACCOUNT.not_kept(f"{where}{error.strerror or error}")
        except Exception as error:
            ACCOUNT.not_kept(f"{self._name} cannot be stored ({error})")

    def _entry(self, signature: Arguments) -> str:
        """Return the name of a signature's file."""
        types = hashlib.sha256(repr(signature).encode()).hexdigest()
        return f"{self._name}-{types[:16]}.nbc"

    def flush(self) -> None:
        """Forget nothing: the folder's name changes with the sources."""


def keeps() -> bool:
    """Return whether machine code can be kept, and will be found by another process.

    Returns
    -------
    bool
        False where the folder cannot be made or written in, or others may write in it.
    """
    try:
        folder = cache_folder()
        make_folder(folder)
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK) and not distrust(folder)


def _replace(path: Path, content: bytes) -> None:
    """Write a file that others see whole or not at all."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as sink:  # noqa: PTH123
            sink.write(content)
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
