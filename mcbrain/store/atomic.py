"""Files that are either whole or untouched, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from mcbrain.errors import unwritable

__all__ = ["mapped", "replacing", "sync_folder", "write_text"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of the one at `path` once it is whole and on disk.

    Parameters
    ----------
    path : Path
        Where the file is to be. Its folder is made when it is not there.

    Yields
    ------
    BinaryIO
        The file to write to, which lies beside `path` under a hidden name that ends in ".tmp". It
        is removed when the block is left by an error.

    Raises
    ------
    UnfinishedError
        Disk full, folder not writable: the file at `path`, if any, is then untouched.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise unwritable(path, error) from None
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file that is either whole or untouched.

    Parameters
    ----------
    path : Path
        Where the file is to be. Its folder is made when it is not there.
    text : str
        Written as UTF-8. Bytes of a file's name that are not UTF-8, which Python keeps as
        surrogates, are written as they were.

    Raises
    ------
    UnfinishedError
        Disk full, folder not writable: the file at `path`, if any, is then untouched.
    """
    with replacing(path) as sink:
        # The bytes of a file's name that are no text come back as they are.
        sink.write(text.encode(errors="surrogateescape"))


def mapped(path: Path) -> pa.MemoryMappedFile:
    """A file in memory without a copy, whatever the bytes of its name.

    Parameters
    ----------
    path : Path
        A file that is there; Arrow itself would refuse a name that is not UTF-8.

    Returns
    -------
    pyarrow.MemoryMappedFile
        Open for reading; buffers that are read from it stay valid after it is closed.

    Raises
    ------
    FileNotFoundError
        No such file.
    """
    return pa.memory_map(os.fsencode(path))


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk, so that new files survive a loss of power.

    Parameters
    ----------
    folder : Path
        A folder that is there.

    Raises
    ------
    OSError
        The folder cannot be opened.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
