"""The lock of a results folder: one writer at a time, and nothing left half-written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mcbrain.errors import StoreError, unwritable

__all__ = ["in_use", "still", "writing"]

# A writer waits this long for the lock: longer than `mcbrain status` holds it to see if it is free.
_LOCK_SECONDS = 0.5


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the lock of a results folder.

    The folder is made when it is not there, and what a killed run left half-written is removed.

    Parameters
    ----------
    folder : Path
        The results folder.

    Yields
    ------
    None
        While the block runs, nobody else writes there.

    Raises
    ------
    StoreError
        Another run writes there.
    UnfinishedError
        The folder cannot be made or written.
    """
    try:
        # Where a link leads: it stays one, whatever it points to.
        folder.resolve().mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=_LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"{folder}: another run is writing here; wait for it, or choose another "
            "folder with --out"
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        _sweep(folder)
        yield
    finally:
        lock.release()


@contextmanager
def still(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that is read; one that may not be written needs none.

    Parameters
    ----------
    folder : Path
        The results folder.

    Yields
    ------
    None
        While the block runs, no run writes there.

    Raises
    ------
    StoreError
        A run is writing there.
    """
    if not os.access(folder, os.W_OK):
        yield
        return
    with writing(folder):
        yield


def in_use(folder: Path) -> bool:
    """Whether a run is writing in a results folder now.

    Parameters
    ----------
    folder : Path
        The results folder.

    Returns
    -------
    bool
        False also where this cannot be known, because the lock may not be opened.
    """
    lock = folder / ".lock"
    if not lock.exists() or not os.access(lock, os.W_OK):
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half-written: of the folder, its blocks and its kept files."""
    for place in (folder, folder / "blocks", *(folder / "files").glob("*")):
        for litter in (*place.glob(".*.tmp"), *place.glob("blocks-*.draft")):
            litter.unlink(missing_ok=True)
