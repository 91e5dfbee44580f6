"""A mixture of two groups as the inputs: what a brain sample is worth beyond one Gaussian cloud."""

import math

import mcbrain as mb


@mb.inputs(parameters={"share": 0.5})
def mixture(rng, parameters, X):
    """Fill X (n, d) with rows of mean 0 and covariance I, of two groups along one direction.

    A share of the rows has its first component about -distance (1 - share), the rest about distance
    share, each with the standard deviation 1/2: the groups are `distance` apart, and the components
    have variance 1 altogether. The others are standard normal numbers.
    """
    share = parameters.share
    n, d = X.shape
    within = 0.5
    distance = math.sqrt((1.0 - within**2) / (share * (1.0 - share)))
    first = rng.random(n) < share
    X[:] = rng.standard_normal((n, d))
    X[:, 0] *= within
    X[first, 0] -= distance * (1.0 - share)
    X[~first, 0] += distance * share
