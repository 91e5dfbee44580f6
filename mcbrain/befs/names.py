"""A subspace whose rows carry the names of the inputs that they belong to."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["NamedRows", "in_order_of"]

# How many inputs an error names at most.
_NAMED = 5


# Methods that NumPy and pickle call have the types that those give and take, which are `Any`.
class NamedRows(np.ndarray[Any, np.dtype[Any]]):
    """An array with the name of each of its rows in `feature_names`.

    It is an ordinary array in every other way. The names stay with it when it is copied deeply,
    pickled, or when columns are taken, ``S[:, :2]``; everything else gives an array without names,
    since rows may have moved.
    """

    feature_names: tuple[str, ...] | None

    @classmethod
    def of(cls, values: Floats, names: Iterable[str] | None) -> Floats:
        """An array whose rows have names, or the array as it is where the fit has none.

        Parameters
        ----------
        values : (n_features, r)
            One row for each input.
        names : array of str, or None
            `feature_names_in_` of a fit.

        Returns
        -------
        array (n_features, r)
            A `NamedRows`, or `values` itself.
        """
        if names is None:
            return values
        named = np.asarray(values).view(cls)
        named.feature_names = tuple(names)
        return named

    def __array_finalize__(self, source: object) -> None:
        """Forget the names of the array that this one is made from."""
        self.feature_names = None

    def __array_wrap__(self, result: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Results of arithmetic are plain arrays."""
        plain = np.asarray(result)
        return plain[()] if return_scalar else plain

    def __getitem__(self, key: Any) -> Any:
        """Plain, unless all rows stay where they are."""
        found = np.asarray(self)[key]
        every = isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], slice)
        if every and key[0] == slice(None) and np.ndim(found) == 2:
            return NamedRows.of(found, self.feature_names)
        return found

    def __deepcopy__(self, memo: object) -> Any:
        """A copy with the names, as scikit-learn's `clone` makes of parameters."""
        return NamedRows.of(np.array(self, subok=False), self.feature_names)

    def __reduce__(self) -> Any:
        """Pickled with the names."""
        return NamedRows.of, (np.array(self, subok=False), self.feature_names)


def in_order_of(subspace: object, basis: Floats, names: Sequence[str] | None) -> Floats:
    """Rows of a subspace in the order of the inputs that a fit is given.

    Parameters
    ----------
    subspace : object
        As the user gave it; `BrainEncoder.subspace_` has names where the encoder's inputs had.
    basis : (n_features, r)
        The same, checked.
    names : array of str, or None
        Names of the inputs of this fit.

    Returns
    -------
    array (n_features, r)
        The rows of `basis`, in the order of `names`.

    Raises
    ------
    InputError
        If the names are not the same ones.
    """
    known = subspace.feature_names if isinstance(subspace, NamedRows) else None
    if known is None:
        return basis
    if names is None:
        warnings.warn(
            "the subspace was fitted with feature names and X has none: its rows are taken to be "
            "in the order of the columns of X",
            UserWarning,
            stacklevel=3,
        )
        return basis
    place = {name: row for row, name in enumerate(known)}
    unknown = [str(name) for name in names if name not in place]
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise InputError(
            f"X has features that the subspace was fitted without: {', '.join(unknown[:_NAMED])}"
            f"{more}; the two are matched by name"
        )
    return np.asarray(basis[[place[name] for name in names]])
