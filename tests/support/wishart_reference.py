"""Traces of real Wishart matrices by independent arithmetic (theory/README.md 4b, 4c, 4f).

It shares nothing with the package: no Laguerre functions and no spectral density, but the
generating function E prod (1 + eps h(x_i)) of the eigenvalues as a ratio of Pfaffians (de Bruijn
1955), in arithmetic of 90 digits; and at large sizes moments in exact integers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import comb, factorial

import mpmath as mp

DIGITS = 90


@cache
def _seeds(half: bool, z_text: str, k: int, digits: int) -> tuple[mp.mpf, mp.mpf]:
    """Integrals of s^a e^(-s/2) (s+z)^-k against U and 1, a = -1/2 (half) or 0.

    U(s) = int sgn(t-s) t^a e^(-t/2) dt.
    """
    with mp.workdps(digits):
        z = mp.mpf(z_text)
        if not half:

            def exponential(c: mp.mpf) -> mp.mpf:
                return mp.exp(c * z) * mp.expint(k, c * z) * z ** (1 - k)

            once = exponential(mp.mpf(1) / 2)
            return 4 * exponential(mp.mpf(1)) - 2 * once, once
        top = mp.log(4 * mp.mp.dps / z + 4) / 2 + 1

        def integrand(v: mp.mpf) -> mp.mpf:
            u = mp.exp(v)
            value = u * mp.exp((1 - u * u) * z / 2) * mp.atan(1 / u)
            return value if k == 1 else value * (u * u - 1) / 2

        pieces = int(top / 2) + 1
        error = mp.sqrt(2 / mp.pi) * mp.quad(
            integrand, [top * i / pieces for i in range(pieces + 1)]
        )
        gauss = mp.pi / (2 * mp.sqrt(z)) * mp.exp(z / 2) * mp.erfc(mp.sqrt(z / 2))
        if k == 2:
            gauss = gauss / (2 * z) - gauss / 2 + mp.sqrt(2 * mp.pi) / (4 * z)
        return 2 * mp.sqrt(2 * mp.pi) * (gauss - 2 * error), 2 * gauss


@cache
def _pairings(half: bool, z_text: str, size: int, digits: int) -> tuple[list, ...]:
    """Skew products of the functions s^(a+i) e^(-s/2), i < size, plain and with h = 1/(s+z)^k.

    A: <i, j>; B: <h i, j>; B2: the same with h^2; b, h1, h2: integrals of i, h i, h^2 i.
    """
    with mp.workdps(digits):
        z, a = mp.mpf(z_text), mp.mpf(-1) / 2 if half else mp.mpf(0)
        shift = -1 if half else 0
        one, two = [mp.exp(z) * mp.e1(z)], [1 / z - mp.exp(z) * mp.e1(z)]
        for c in range(2 * size):
            one.append(factorial(c) - z * one[c])
            two.append(one[c] - z * two[c])
        A = [[mp.mpf(0)] * size for _ in range(size)]
        for i in range(size):
            for j in range(i + 1, size):
                A[i][j] = 2 * (a + j) * A[i][j - 1] + 4 * factorial(shift + i + j)
                A[j][i] = -A[i][j]
        b = [mp.mpf(2) ** (a + i + 1) * mp.gamma(a + i + 1) for i in range(size)]
        below, lower, results = A, b, [A]
        singles = [b]
        for k, scalar in ((1, one), (2, two)):
            start, border = _seeds(half, z_text, k, digits)
            M = [[start]]
            for j in range(1, size):
                M[0].append(2 * (a + j) * M[0][j - 1] + 4 * scalar[shift + j])
            edge = [border]
            for i in range(size - 1):
                M.append([below[i][j] - z * M[i][j] for j in range(size)])
                edge.append(lower[i] - z * edge[i])
            below, lower = M, edge
            results.append(M)
            singles.append(edge)
        return (*results, *singles)


@dataclass(frozen=True)
class Reference:
    inverse: mp.mpf  # E sum r over the min(n, q) positive eigenvalues
    inverse_squared: mp.mpf  # E sum r^2
    square: mp.mpf  # E (sum r)^2


@cache
def reference(n: int, q: int, z_text: str, digits: int = DIGITS) -> Reference:
    n, q = max(n, q), min(n, q)
    half = (n - q) % 2 == 0
    first = (n - q) // 2 if half else (n - q - 1) // 2
    A, B, B2, b, h1, h2 = _pairings(half, z_text, first + q, digits)
    with mp.workdps(digits):
        z = mp.mpf(z_text)
        full = [[mp.mpf(0)] * (first + q) for _ in range(first + q)]  # <h i, h j>
        for i in range(first + q - 1):
            full[i + 1][0] = -B[0][i] - z * full[i][0]
        for i in range(first + q):
            for j in range(first + q - 1):
                full[i][j + 1] = B[i][j] - z * full[i][j]
        m = q + q % 2
        P, P1, P2, C = (mp.matrix(m, m) for _ in range(4))
        for i in range(q):
            for j in range(q):
                k, c = first + i, first + j
                P[i, j], C[i, j] = A[k][c], full[k][c]
                P1[i, j], P2[i, j] = B[k][c] - B[c][k], B2[k][c] - B2[c][k]
            if q % 2:
                for matrix, edge in ((P, b), (P1, h1), (P2, h2)):
                    matrix[i, q], matrix[q, i] = edge[first + i], -edge[first + i]
        inverse = P**-1
        X = inverse * P1

        def trace(matrix: mp.matrix) -> mp.mpf:
            return sum(matrix[i, i] for i in range(m))

        r1, r2 = trace(X) / 2, trace(inverse * P2) / 2
        return Reference(r1, r2, trace(inverse * C) - trace(X * X) / 2 + r1**2 + r2)


def relative(value: object, truth: mp.mpf) -> float:
    """Error of a value, relative to the truth."""
    with mp.workdps(DIGITS):
        return abs(float(mp.mpf(float(value)) / truth - 1))


def exact_traces(n: int, q: int, top: int) -> list[int]:
    """E tr (W'W)^k, k <= top, in exact integers, by Stein's identity for products of traces."""

    @cache
    def mean(parts: tuple[int, ...]) -> int:
        if not parts:
            return 1
        if parts[-1] == 0:
            return q * mean(parts[:-1])
        k, rest = parts[0] - 1, parts[1:]
        total = (n + k) * mean(_descending((k, *rest)))
        for j in range(k):
            total += mean(_descending((j + 1, k - 1 - j, *rest)))
        for i, a in enumerate(rest):
            total += 2 * a * mean(_descending((*rest[:i], *rest[i + 1 :], k + a)))
        return total

    return [mean((k,)) for k in range(top + 1)]


def _descending(parts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(parts, reverse=True))


def continued_fraction(n: int, q: int, levels: int) -> Callable[[mp.mpf], Reference]:
    """E sum 1/(x+z)^k from the first 2 levels moments: exact where n is many times q."""
    raw = exact_traces(n, q, 2 * levels)
    with mp.workdps(400):
        size = range(2 * levels + 1)
        top = [
            mp.mpf(sum(comb(k, j) * (-n) ** (k - j) * raw[j] for j in range(k + 1))) for k in size
        ]
        before, now = [mp.mpf(0)] * len(top), top
        a, b = [now[1] / now[0]], [now[0]]
        for k in range(1, levels):
            after = [mp.mpf(0)] * len(top)
            for i in range(k, 2 * levels - k):
                after[i] = now[i + 1] - a[-1] * now[i] - (b[-1] * before[i] if k > 1 else 0)
            a.append(after[k + 1] / after[k] - now[k] / now[k - 1])
            b.append(after[k] / now[k - 1])
            before, now = now, after

    def evaluate(z: mp.mpf) -> Reference:
        value = slope = mp.mpf(0)
        for alpha, beta in zip(reversed(a), reversed(b), strict=True):
            below = n + alpha + z - value
            value, slope = beta / below, -beta * (1 - slope) / below**2
        square = (q - (z + n - q - 1) * value + z * slope) / z
        return Reference(value, -slope, square)

    return evaluate
