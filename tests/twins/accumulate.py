"""Twins of ``mcbrain.kernels.replicate.accumulate``: NumPy over whole columns."""

import numpy as np


def agree(a, b):
    """Whether two values are one number, up to rounding."""
    return abs(a - b) <= 2.0**-46 * max(abs(a), abs(b))


def accumulate(excess, place, baseline):
    """Return for each output its sums as a dict; what is not finite is left out."""
    found = []
    for column, other in zip(place, baseline, strict=True):
        x = excess[:, column]
        y = excess[:, other] if other >= 0 else np.full(len(x), np.nan)
        own, both = x[np.isfinite(x)], np.isfinite(x) & np.isfinite(y)
        constant = own.size > 0 and agree(own.min(), own.max())
        mean = own.mean() if own.size else 0.0
        pair = np.stack([x[both], y[both]])
        middle = pair.mean(axis=1) if both.any() else np.zeros(2)
        products = (pair - middle[:, None]) @ (pair - middle[:, None]).T
        found.append(
            {
                "valid": own.size,
                "mean": np.clip(mean, own.min(), own.max()) if constant else mean,
                "m2": 0.0 if constant else np.sum((own - mean) ** 2),
                "both": both.sum(),
                "better": sum(a < b and not agree(a, b) for a, b in pair.T),
                "own": [middle[0], products[0, 0]],
                "other": [middle[1], products[1, 1]],
                "cross": products[0, 1],
            }
        )
    return found


def histogram(excess, place):
    """Return for each output (bin, count, atom or NaN, its share) in the order of bins."""
    found = []
    for column in place:
        values = excess[np.isfinite(excess[:, column]), column]
        with np.errstate(divide="ignore"):
            bins = np.clip(np.floor(np.log(np.maximum(values, 0.0)) / np.log(1.01)), -32768, 32767)
        rows = []
        for b in np.unique(bins):
            inside = values[bins == b]
            shares = [sum(agree(v, w) for w in inside) for v in inside]
            # Only a majority is sure to be found.
            best = int(np.argmax(shares))
            rows.append([int(b), inside.size, inside[best], shares[best]])
        few = 1 if len(rows) <= 8 else 2
        found.append([[b, n, v, s] if s >= few else [b, n, np.nan, 0] for b, n, v, s in rows])
    return found
