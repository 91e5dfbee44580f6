"""Least squares with a projection penalty by its definition, in 240 digits and more.

Limits are taken literally: a penalty of 0 is 1e-60 of the smallest input squared, an infinite one
1e60 of the largest, and what no penalty decides is decided by a far smaller one on everything.
"""

import mpmath as mp
import numpy as np

_DIGITS = 240
_CLOSE = mp.mpf(10) ** -60  # to a limit, relative


def exact(values):
    """An array of numbers of mpmath, each exactly the float that it was."""
    found = [mp.mpf(float(v)) for v in np.ravel(values)]
    return np.array(found, dtype=object).reshape(np.shape(values))


def solve(A, B):
    """A^-1 B of a positive definite matrix by Gaussian elimination."""
    A, B = A.copy(), B.copy()
    d = len(A)
    for i in range(d):
        for j in range(i + 1, d):
            factor = A[j, i] / A[i, i]
            A[j, i:] = A[j, i:] - factor * A[i, i:]
            B[j] = B[j] - factor * B[i]
    for i in reversed(range(d)):
        B[i] = (B[i] - A[i, i + 1 :] @ B[i + 1 :]) / A[i, i]
    return B


class Problem:
    """One data set, exactly.

    Parameters
    ----------
    X, y : (n, d), (n, t)
    subspace : (d, r)
        Of full rank, not necessarily orthonormal.
    weight : (n,)
    intercept : bool
    """

    def __init__(self, X, y, subspace, weight, intercept):
        smallest = min([abs(v) for v in np.ravel(X) if v] or [1.0])
        digits = int(2 * abs(np.log10(smallest)))
        mp.mp.dps = _DIGITS + 2 * digits
        self.X, self.y, self.weight = exact(X), exact(y), exact(weight)
        self.intercept = intercept
        S = exact(subspace)
        d, r = S.shape
        self.P = S @ solve(S.T @ S, S.T) if r else exact(np.zeros((d, d)))
        self.rest = exact(np.eye(d)) - self.P
        sizes = [mp.mpf(abs(float(v))) for v in np.ravel(X - X[:1] * intercept) if v] or [mp.mpf(1)]
        self.low, self.high = min(sizes) ** 2, max(sizes) ** 2

    def fit(self, z, keep):
        """Coefficients (d, t), intercept (t,) and what X'X became, from the rows kept.

        Parameters
        ----------
        z : float
            Penalty in a sum over rows, 0 and infinity included.
        keep : (n,) of bool
        """
        X, y, w = self.X[keep], self.y[keep], self.weight[keep]
        total = sum(w, mp.mpf(0))
        x_mean, y_mean = (0 * self.X[0], 0 * self.y[0])
        if self.intercept and len(w):
            x_mean, y_mean = (w @ X) / total, (w @ y) / total
        X, y = X - x_mean, y - y_mean
        z = self.penalty(z)
        tiny = min(_CLOSE**2 * self.low, _CLOSE**2 * z)
        gram = X.T @ (w[:, None] * X) if len(w) else 0 * self.P
        moment = X.T @ (w[:, None] * y) if len(w) else 0 * self.X.T @ self.y
        inverse = gram + z * self.rest + tiny * self.P
        coef = solve(inverse, moment)
        return coef, y_mean - x_mean @ coef, (inverse, gram)

    def penalty(self, z):
        """The penalty with its limits taken as close as they are wanted."""
        if z == 0:
            return _CLOSE * self.low
        return self.high / _CLOSE if np.isinf(z) else mp.mpf(float(z))

    def everything(self):
        """All rows."""
        return np.ones(len(self.weight), dtype=bool)

    def coefficients(self, z):
        """Coefficients (d, t) and intercept (t,) as floats."""
        coef, intercept, _ = self.fit(z, self.everything())
        return coef.astype(float), intercept.astype(float)

    def loo(self, z):
        """Weighted mean squared error of each row fitted without it, (t,)."""
        errors = 0
        for row in range(len(self.weight)):
            keep = self.everything()
            keep[row] = False
            coef, intercept, _ = self.fit(z, keep)
            errors += self.weight[row] * (self.y[row] - self.X[row] @ coef - intercept) ** 2
        return (errors / sum(self.weight)).astype(float)

    def gcv(self, z):
        """Generalised cross-validation score by its definition, (t,)."""
        n = len(self.weight)
        coef, intercept, (inverse, gram) = self.fit(z, self.everything())
        squares = self.weight @ (self.y - self.X @ coef - intercept) ** 2 / sum(self.weight)
        freedom = np.trace(solve(inverse, gram)) + self.intercept
        return (squares / (1 - freedom / n) ** 2).astype(float)
