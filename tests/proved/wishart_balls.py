"""Task moments (theory/README.md 4f) as balls that contain the exact number.

The mean density of the eigenvalues of a real Wishart matrix is integrated by an adaptive rule that
bounds its own error. What is beyond the end of the integral is bounded by the mass that is left
there, since the whole mass is the number of eigenvalues.
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import acb, arb, ctx

BITS = 256
"""Working precision."""

TOLERANCE = 2.0**-120
"""Asked of each integral; what it reaches is in the ball's radius."""

REACH = 18
"""How far beyond the bulk, in square roots of eigenvalues, the integrals go."""

EVALUATIONS = 1_000_000


@dataclass(frozen=True)
class TaskBalls:
    """The fields of `task_moments`, as balls."""

    noise: arb
    c1: arb
    c2: arb
    mean_f: arb


def task_balls(rows: int, columns: int, z: float) -> TaskBalls:
    """The moments of ridge with n' rows and q columns, at a penalty sum z > 0."""
    before, ctx.prec = ctx.prec, BITS
    try:
        q, shift = arb(columns), arb(z)
        zeros = max(columns - rows, 0)
        g, minus_slope = inverse_means(max(rows, columns), min(rows, columns), z)
        g, minus_slope = g + zeros / shift, minus_slope + zeros / shift**2
        # Stein-Haff: z E (sum 1/(x+z))^2 = q - (z + n' - q - 1) g + z g'
        square = shift * (q - (shift + rows - q - 1) * g - shift * minus_slope)
        squares = shift**2 * minus_slope  # E sum f^2
        spread = q * squares - square
        c2 = spread / (q * (q + 2) * max(columns - 1, 1))
        return TaskBalls(
            noise=(g - shift * minus_slope) / q,
            c1=squares / q - q * c2,
            c2=c2,
            mean_f=shift * g / q,
        )
    finally:
        ctx.prec = before


def inverse_means(large: int, small: int, z: float) -> tuple[arb, arb]:
    """E sum 1/(x+z) and E sum 1/(x+z)^2 over the positive eigenvalues of a Wishart matrix."""
    end = arb(large).sqrt() + arb(small).sqrt() + REACH
    beyond = small - _integral(large, small, lambda x: acb(1), end)  # eigenvalues beyond the end
    found = []
    for power in (1, 2):
        inside = _integral(large, small, lambda x, k=power: 1 / (x + acb(z)) ** k, end)
        most = (arb(beyond.abs_upper()) / (end**2 + arb(z)) ** power).abs_upper()
        found.append(inside + arb(0, most))
    return found[0], found[1]


def _integral(large: int, small: int, function, end: arb) -> arb:
    value = acb.integral(
        lambda y, _: density(large, small, y) * function(y * y),
        acb(0),
        acb(end),
        rel_tol=TOLERANCE,
        abs_tol=TOLERANCE,
        eval_limit=EVALUATIONS,
    )
    return value.real


def density(large: int, small: int, y: acb) -> acb:
    """The density of square roots of eigenvalues, an entire function of y.

    Adler, Forrester, Nagao & van Moerbeke (2000): Laguerre functions F_j of y^2, and the integral
    of the last but one.
    """
    nu = large - small
    F = _laguerre_functions(nu, small, y)
    last, complete = F[small - 1], sum((f * f for f in F[: small - 1]), acb(0))
    if small == 1:
        return 2 * last / _whole(nu, 0)
    coupling = acb((nu + small - 1) * (small - 1)).sqrt()
    integral = _integrated(nu, F, y, small - 2)
    if small % 2:
        return 2 * y * complete + last * (2 / _whole(nu, small - 1) - coupling * integral)
    return 2 * y * complete - coupling * last * (integral - _whole(nu, small - 2) / 2)


def _laguerre_functions(nu: int, count: int, y: acb) -> list[acb]:
    """F_j = sqrt(j!/(j+nu)!) y^nu exp(-y^2/2) L_j^nu(y^2) for j below `count`."""
    x = y * y
    F = [y**nu * (-x / 2).exp() / acb(nu + 1).gamma().sqrt()]
    for j in range(count - 1):
        before = acb(j * (j + nu)).sqrt() * F[j - 1] if j else acb(0)
        F.append(((2 * j + nu + 1 - x) * F[j] - before) / acb((j + 1) * (j + 1 + nu)).sqrt())
    return F


def _integrated(nu: int, F: list[acb], y: acb, j: int) -> acb:
    """The integral of F_j/sqrt(x) from 0 to y^2, along the recurrence of every other j."""
    if j % 2 == 0:
        found, at = 2 ** (acb(nu + 1) / 2) * _lower_gamma(nu + 1, y) / acb(nu + 1).gamma().sqrt(), 0
    else:
        found, at = 2 * y * F[0] / acb(1 + nu).sqrt(), 1
    while at < j:
        at += 2
        whole = acb(at * (at + nu))
        found = (acb((at - 1) * (at - 1 + nu)) / whole).sqrt() * found
        found += 2 * y * F[at - 1] / whole.sqrt()
    return found


def _lower_gamma(twice: int, y: acb) -> acb:
    """The lower incomplete gamma function of order twice/2 at y^2/2."""
    x = y * y / 2
    odd = twice % 2
    found = acb.pi().sqrt() * (y / acb(2).sqrt()).erf() if odd else 1 - (-x).exp()
    for m in range(1 if odd else 2, twice, 2):
        found = acb(m) / 2 * found - y**m / 2 ** (acb(m) / 2) * (-x).exp()
    return found


def _whole(nu: int, j: int) -> acb:
    """The integral of F_j/sqrt(x) over all x > 0, for even j."""
    halves = (_half_step(acb(j + 1) / 2), _half_step(acb(j + 1 + nu) / 2))
    return (2 * halves[0] * halves[1]).sqrt()


def _half_step(a: acb) -> acb:
    return a.gamma() / (a + acb(1) / 2).gamma()
