"""The generating function of ridge (theory/README.md 5f), differentiated in ball arithmetic.

Phi is evaluated on numbers with two infinitesimals, whose products are its derivatives: no closed
form of a derivative is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, arb_mat, ctx

BITS = 200
STEPS = 60  # of bisection from a bracket, before Newton's method
ZERO = arb(0)
RADIUS = arb(2) ** -150  # of the ball that holds the root, relative to it


@dataclass(frozen=True)
class Jet:
    """A number v + a eps + b eta + c eps eta, where eps^2 = eta^2 = 0."""

    v: arb
    a: arb = ZERO
    b: arb = ZERO
    c: arb = ZERO

    def __add__(self, other: Jet | int) -> Jet:
        x = _jet(other)
        return Jet(self.v + x.v, self.a + x.a, self.b + x.b, self.c + x.c)

    def __mul__(self, other: Jet | int) -> Jet:
        x = _jet(other)
        return Jet(
            self.v * x.v,
            self.v * x.a + self.a * x.v,
            self.v * x.b + self.b * x.v,
            self.v * x.c + self.c * x.v + self.a * x.b + self.b * x.a,
        )

    def through(self, f0: arb, f1: arb, f2: arb) -> Jet:
        """A function with these derivatives at v."""
        return Jet(f0, f1 * self.a, f1 * self.b, f1 * self.c + f2 * self.a * self.b)

    def __neg__(self) -> Jet:
        return Jet(-self.v, -self.a, -self.b, -self.c)

    def __sub__(self, other: Jet | int) -> Jet:
        return self + -_jet(other)

    @property
    def inverse(self) -> Jet:
        x = self.v
        return self.through(1 / x, -1 / x**2, 2 / x**3)

    @property
    def log(self) -> Jet:
        x = self.v
        return self.through(x.log(), 1 / x, -1 / x**2)


def _jet(x: Jet | int) -> Jet:
    return x if isinstance(x, Jet) else Jet(arb(x))


Matrix = list[list[Jet]]


def phi(S: Sequence[float], Omega: Sequence[Sequence[Jet]], n: int) -> Jet:
    """E log det(X'X + Omega) up to O(1/n), of n rows of covariance diag(S)."""
    delta = _delta(S, Omega, n)
    inverse, log_det = _solved(S, Omega, delta)
    _, second = _freedoms(S, inverse, delta)
    e = Jet(arb(n)) * delta.inverse - 1
    last = (Jet(arb(1)) - second * Jet(1 / arb(n))).log
    return log_det + (Jet(arb(n)) * delta.inverse).log * n - delta * e + last * Jet(arb("0.5"))


def _delta(S: Sequence[float], Omega: Sequence[Sequence[Jet]], n: int) -> Jet:
    """The root of delta + df1 = n, with its derivatives."""
    plain = [[Jet(x.v) for x in row] for row in Omega]

    def excess(delta: Jet, forms: Sequence[Sequence[Jet]]) -> tuple[Jet, Jet]:
        inverse, _ = _solved(S, forms, delta)
        first, second = _freedoms(S, inverse, delta)
        return delta + first - n, first - second  # the second over delta, plus 1, is the slope

    low, high = arb(0), arb(n)
    for _ in range(STEPS):
        middle = ((low + high) / 2).mid()
        above = excess(Jet(middle), plain)[0].v > 0
        low, high = (low, middle) if above else (middle, high)
    middle = ((low + high) / 2).mid()
    for _ in range(8):
        value, change = excess(Jet(middle), plain)
        middle = (middle - value.v / (1 + change.v / middle)).mid()
    # The root is proved to lie in a ball about where Newton's method ends.
    radius = middle * RADIUS
    below, above = (excess(Jet(middle + side * radius), plain)[0].v for side in (-1, 1))
    assert below < 0 < above, "no root is enclosed"
    root = Jet(middle + arb(0, radius.abs_upper()))
    for _ in range(2):  # eps and eta, then their product
        value, change = excess(root, Omega)
        slope = Jet(1 + change.v / root.v)
        root = root - value * slope.inverse
    return root


def _freedoms(S: Sequence[float], inverse: Matrix, delta: Jet) -> tuple[Jet, Jet]:
    size = range(len(S))
    kept = [[Jet(arb(S[i])) * delta * inverse[i][j] for j in size] for i in size]
    first = _sum(kept[i][i] for i in size)
    return first, _sum(kept[i][j] * kept[j][i] for i in size for j in size)


def _solved(S: Sequence[float], Omega: Sequence[Sequence[Jet]], delta: Jet) -> tuple[Matrix, Jet]:
    """The inverse of Omega + delta S and the logarithm of its determinant, by elimination."""
    size = len(S)
    rows = [
        [Omega[i][j] + (delta * Jet(arb(S[i])) if i == j else 0) for j in range(size)]
        + [Jet(arb(int(i == j))) for j in range(size)]
        for i in range(size)
    ]
    log_det = Jet(arb(0))
    for i in range(size):
        pivot = rows[i][i]
        log_det = log_det + pivot.log
        over = pivot.inverse
        rows[i] = [x * over for x in rows[i]]
        for k in range(size):
            if k != i:
                factor = rows[k][i]
                rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[size:] for row in rows], log_det


def _sum(terms) -> Jet:
    total = Jet(arb(0))
    for term in terms:
        total = total + term
    return total


def error_balls(
    S: Sequence[float], z: float, n: int, form: Sequence[Sequence[float]], b: Sequence[float]
) -> tuple[arb, arb]:
    """E e'Ne of a signal, and of unit label noise, for ridge with penalty sum z."""
    before, ctx.prec = ctx.prec, BITS
    try:
        size = range(len(S))
        N = arb_mat([[arb(x) for x in row] for row in form])
        outer = [[arb(z) ** 2 * arb(b[i]) * arb(b[j]) for j in size] for i in size]
        plain = [[arb(z) if i == j else arb(0) for j in size] for i in size]

        def derivatives(K: list[list[arb]]) -> Jet:
            return phi(S, [[Jet(plain[i][j], N[i, j], K[i][j]) for j in size] for i in size], n)

        # E tr(R N) = dPhi[N] and E tr(R N R K) = -d2Phi[N, K]
        signal, noise = derivatives(outer), derivatives(plain)
        return -signal.c, noise.a + noise.c
    finally:
        ctx.prec = before
