"""How fast the risk of ridge falls with task samples under a power law (theory/README.md 5h)."""

from __future__ import annotations

from mcbrain.errors import InputError

__all__ = ["SATURATION", "random_source", "ridge_exponent"]

SATURATION = 1.0
"""The source beyond which a smoother task makes ridge no faster."""


def ridge_exponent(alpha: float, source: float, *, noisy: bool) -> float:
    """The exponent g of ridge at its best penalty: excess risk ~ n_task^-g.

    Cui, Loureiro, Krzakala & Zdeborova 2021; without noise also Bordelon, Canatar & Pehlevan 2020.
    It holds where n_task is far below the number of inputs. With a little noise the risk falls by
    the noiseless exponent first, and by the noisy one once it is below the noise.

    Parameters
    ----------
    alpha : float
        Of the spectrum Sigma_j ~ j^-alpha, above 1, so that the inputs' variance has a limit.
    source : float
        s of beta_j^2 Sigma_j ~ j^-(1 + 2 alpha s), above 0.
    noisy : bool
        Whether the noise of the labels outweighs what is left of the signal.

    Returns
    -------
    float
        2 alpha min(s, 1) without noise, and g/(1 + g) of that with noise: always below 1.

    Raises
    ------
    InputError
        An alpha of 1 or less, or a source that is not positive.

    Examples
    --------
    >>> ridge_exponent(2.0, 0.25, noisy=False), ridge_exponent(2.0, 0.25, noisy=True)
    (1.0, 0.5)
    """
    if not alpha > 1.0:
        raise InputError(
            f"alpha = {alpha:g}: the exponents of ridge need a power law above 1; at 1 or less the "
            "variance of the inputs has no limit as their number grows"
        )
    if not source > 0.0:
        raise InputError(f"source = {source:g}: must be above 0, else the signal is infinite")
    free = 2.0 * alpha * min(source, SATURATION)
    return free / (1.0 + free) if noisy else free


def random_source(alpha: float) -> float:
    """The source of a task along a random direction of the inputs, as a brain map at random has it.

    There beta_j^2 is the same for all j on average, so that beta_j^2 Sigma_j ~ j^-alpha.

    Parameters
    ----------
    alpha : float
        Of the spectrum, above 1.

    Returns
    -------
    float
        (alpha - 1)/(2 alpha): rougher than any source from 1/2 on.
    """
    return (alpha - 1.0) / (2.0 * alpha)
