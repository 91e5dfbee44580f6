"""How far a measurement may lie from what was predicted for it from the very same rows.

The noise that makes a measured error large makes the fitted noise large too, and with it the
prediction: what both share is no surprise. So the spread of a measurement about its prediction is
that of labels drawn from the fitted model, each about the prediction of its own refitted
parameters. An error is a quadratic form of the labels: twice all variances are twice the error, so
that the prediction is sum_c s_c v_c over the variances v_c of y, at any parameters near the fitted
ones. The slopes s_c come from the labels that were drawn at various parameters.
"""

from __future__ import annotations

import numpy as np

from mcbrain.typing import Floats

__all__ = ["predictions"]


def predictions(errors: Floats, drawn: Floats, refitted: Floats) -> Floats:
    """What the refitted parameters of each set of labels predict.

    Parameters
    ----------
    errors : (t,)
        Errors, or reductions of error, of labels drawn at various parameters.
    drawn : (c, t)
        Variances of y by which each of those was drawn.
    refitted : (c, u)
        The same as found from other sets of labels, those to predict for.

    Returns
    -------
    array (u,)
        Predicted errors: linear in the variances, and through the mean of `errors`.
    """
    middle, mean = drawn.mean(axis=1), float(errors.mean())
    # s = m v / |v|^2 + N u: the plane on which the mean is met exactly.
    size = max(float(middle @ middle), 1e-300)
    along = mean * middle / size
    free = np.linalg.svd(middle[None, :] / np.sqrt(size))[2][1:].T
    left = errors - along @ drawn
    turned = free.T @ drawn
    slopes = along + free @ np.linalg.lstsq(turned.T, left, rcond=1e-6)[0]
    return np.asarray(slopes @ refitted)
