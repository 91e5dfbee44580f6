"""Arrays that a user gives in place of a word of the model, from a file or from Python.

What an array is known by is the digest of its content: neither its file's name nor its place. It
is kept in memory from when it was read, so that a file may change or go while a study runs, and it
travels with the model, so that a worker needs no file.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Self

import numpy as np

from mcbrain.checks import LARGE, unmasked
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["FILE", "Given", "is_file", "place_of", "read_numbers", "refuse_another"]

FILE = "file:"
"""What the text of a model's field begins with where it names a file."""

# Where a results folder keeps a file: under the digest of what is in it.
_KEPT = re.compile(r"(?:.*/)?files/([0-9a-f]{16}|[0-9a-f]{32})/[^/]+")


class Given(str):
    """An array in place of a word; as text it names the file.

    Two are equal where their numbers are, wherever they were read from.

    Parameters
    ----------
    text : str
        `file:` and the path of the file, or a name for an array from Python.
    values : ndarray
        Finite floats; made unwritable.
    digest : str
        Of the values; "" computes it.

    Attributes
    ----------
    values : ndarray
    digest : str
    """

    values: Floats
    digest: str

    def __new__(cls, text: str, values: Floats, digest: str = "") -> Self:
        """Make one; see the class."""
        made = super().__new__(cls, text)
        values = np.ascontiguousarray(values, dtype=float)
        values.setflags(write=False)
        made.values, made.digest = values, digest or _digest(values)
        return made

    @classmethod
    def read(cls, field: str, text: str, folder: Path | None = None) -> Self:
        """The numbers of a file.

        Parameters
        ----------
        field : str
            The model's field, for sentences.
        text : str
            `file:PATH`.
        folder : Path, optional
            Where a relative path begins; default the working directory.

        Returns
        -------
        Given
            Its text names the path from the working directory.

        Raises
        ------
        InputError
            Not a readable `.npy` file of finite real numbers, or one that a results folder keeps
            and that has changed.
        """
        path = text.removeprefix(FILE)
        if not path:
            raise InputError(f"{field} = '{text}': the form is {FILE}NAME.npy")
        if not path.encode(errors="replace").decode() == path:
            raise InputError(f"{field} = {text!r}: a file whose name is text (UTF-8) is allowed")
        path = path if folder is None else str(folder / path)
        found = cls(f"{FILE}{path}", read_numbers(f"{field} = '{text}'", path))
        refuse_another(path, found.digest)
        return found

    @classmethod
    def of(cls, field: str, array: object) -> Self:
        """The numbers of an array from Python, under the name of the field.

        Parameters
        ----------
        field : str
            The model's field.
        array : ndarray
            Copied.

        Returns
        -------
        Given
            Its text is `file:FIELD.npy`, by which a results folder keeps it.

        Raises
        ------
        InputError
            Not finite real numbers, or masked ones.
        """
        unmasked(field, array)
        return cls(f"{FILE}{field}.npy", _numbers(field, np.array(array)))

    @property
    def label(self) -> str:
        """The text without the folder, as tables show it: `file:features.npy`."""
        return f"{FILE}{self.name}"

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.removeprefix(FILE)).name

    @property
    def place(self) -> str:
        """Where a results folder keeps the file, from that folder."""
        return place_of(self.digest, self.name)

    def light(self) -> Given:
        """The same without what only a results folder needs: what travels to a worker.

        Returns
        -------
        Given
        """
        return self

    def __eq__(self, other: object) -> bool:
        """Whether another holds the same numbers."""
        return isinstance(other, Given) and self.digest == other.digest

    def __ne__(self, other: object) -> bool:
        """Whether another holds other numbers, or none."""
        return not self == other

    def __hash__(self) -> int:
        """By the numbers, as equality is."""
        return hash(self.digest)

    def __getnewargs__(self) -> tuple[str, Floats, str]:  # type: ignore[override]
        """What a pickle makes one of."""
        return str(self), self.values, self.digest

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: it never changes."""
        return self


def is_file(value: object) -> bool:
    """Whether a value of a model's field is the name of a file that has not been read.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return isinstance(value, str) and not isinstance(value, Given) and value.startswith(FILE)


def place_of(digest: str, name: str) -> str:
    """Where a results folder keeps a file, from that folder.

    Parameters
    ----------
    digest : str
        Of the array in it, 16 or 32 hexadecimal digits.
    name : str
        Of the file.

    Returns
    -------
    str
    """
    return f"files/{digest}/{name}"


def refuse_another(path: str, digest: str) -> None:
    """Refuse an array in the place where a results folder keeps another.

    Parameters
    ----------
    path : str
        Of the file, wherever it is.
    digest : str
        Of the array that was read from it.

    Raises
    ------
    InputError
        The place is that of an array with another digest.
    """
    kept = _KEPT.fullmatch(Path(path).as_posix())
    if kept and kept[1] != digest:
        raise InputError(
            f"{path}: is not the array that was kept here; put the original in its place"
        )


def read_numbers(where: str, path: str) -> Floats:
    """The array of a `.npy` file, never a pickle.

    Parameters
    ----------
    where : str
        How sentences begin.
    path : str

    Returns
    -------
    ndarray
        Of floats.

    Raises
    ------
    InputError
        No such file, no array, or anything but finite real numbers.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{where}: not a readable .npy file: there is no {path}") from None
    except Exception as error:  # a hostile header can make the parser raise anything
        raise InputError(f"{where}: not a readable .npy file of numbers ({error})") from None
    if not isinstance(found, np.ndarray):
        raise InputError(f"{where}: one array in a .npy file is allowed, this is an archive")
    return _numbers(where, found)


def _numbers(where: str, found: object) -> Floats:
    """An array as finite floats."""
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        kind = getattr(found, "dtype", type(found).__name__)
        raise InputError(f"{where}: finite real numbers are allowed, this holds {kind}")
    if found.size == 0 or not np.all(np.isfinite(found)):
        what = "nothing" if found.size == 0 else "NaN or infinity"
        raise InputError(f"{where}: finite real numbers are allowed, this holds {what}")
    numbers = np.ascontiguousarray(found, dtype=float)
    if np.abs(numbers).max() > LARGE:
        raise InputError(f"{where}: numbers up to {LARGE:g} are allowed")
    return numbers


def _digest(values: Floats) -> str:
    """A hash of an array's shape and numbers, the same on every machine."""
    content = np.ascontiguousarray(values, dtype="<f8")
    shape = ",".join(map(str, content.shape)).encode()
    return hashlib.blake2b(shape + b";" + content.tobytes(), digest_size=16).hexdigest()
