"""Twin of ``mcbrain.population``: a replicate in the coordinates of x, from the definitions.

Covariances are taken apart by singular values, directions are written out, and every shift is its
second moment M: nothing here is in the coordinates of the eigenvectors but z itself.
"""

import numpy as np

from .encode import estimated_subspace
from .solve import beta_hat

BASIS, CHANNELS, SPECTRUM, TURN = 0xB0000001, 0xB0000002, 0xB0000003, 0xB0000004


def stream(seed, *key):
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


def gram_schmidt(rows):
    """Orthonormal rows, each from those before it."""
    done = []
    for row in rows:
        for _ in range(2):
            row = row - sum((row @ other) * other for other in done)
        done.append(row / np.linalg.norm(row))
    return np.array(done)


def principal(rows):
    """Variances scaled to trace d, descending, and axes as columns, of rows of features.

    Only of directions in which they vary.
    """
    _, singular, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=True)
    d = rows.shape[1]
    variances = np.zeros(d)
    variances[: singular.size] = singular**2
    q = np.sum(variances > 1e-13 * variances[0])
    variances, axes = variances[:q], axes[:q]
    for axis in axes:
        axis *= np.sign(axis[np.argmax(np.abs(axis))])
    return variances * d / variances.sum(), axes.T


class Population:
    """Sigma, A, beta and the shifts' directions in the coordinates of x.

    `brain` is "leading", "random" or a map (k, d); `source` is s, None or the whole of beta (d,).
    """

    def __init__(self, seed, rows, k, brain, source, m, loadings, norm):
        self.seed, self.k, self.norm = seed, k, norm
        self.variances, self.V = principal(rows)
        self.root = self.V @ np.diag(np.sqrt(self.variances)) @ self.V.T
        d = len(self.variances)
        normals = stream(seed, BASIS).standard_normal
        if isinstance(brain, str):
            frame = np.eye(k + 2, d) if brain == "leading" else gram_schmidt(normals((k + 2, d)))
            frame = frame @ self.V.T
        else:
            frame = gram_schmidt([*brain, *(normals((2, d)) @ self.V.T)])
        self.A = frame[:k]
        if np.ndim(source):
            source = self.V @ (self.V.T @ source)  # the rest acts on nothing
        outside = np.eye(len(self.V)) - self.A.T @ self.A
        if np.ndim(source):
            self.u = outside @ source
            loadings = self.A @ source
        elif source is None:
            self.u = frame[k]
        else:
            # u_j^2 Sigma_j = Sigma_j^(2s) / j
            number = np.arange(1, d + 1)
            profile = np.sqrt(self.variances ** (2 * source) / number / self.variances)
            self.u = outside @ self.V @ profile
        self.u = self.u / np.linalg.norm(self.u)
        self.a = np.asarray(loadings) / np.linalg.norm(loadings)
        self.w = self.a @ self.A
        described = norm * (np.sqrt(1 - m) * self.w + np.sqrt(m) * self.u)
        self.beta = np.array(source) if np.ndim(source) else described
        spare = [row - (row @ self.u) * self.u for row in frame[k:]]
        longest = max(spare, key=np.linalg.norm)
        self.o = longest / np.linalg.norm(longest)

    def channels(self, p, gains):
        return gram_schmidt(stream(self.seed, CHANNELS).standard_normal((self.k, p))).T * gains

    def moment(self, shift):
        """M and beta at test time."""
        kind, *parts = shift.split(":")
        value = float(parts[0]) if parts and kind != "custom" else 0.0
        eye, P = np.eye(len(self.V)), self.A.T @ self.A
        sigma, target = self.root @ self.root, self.beta
        if kind == "custom":
            return np.load(shift.partition(":")[2]), target
        if kind == "mean":
            w = {"brain": self.w, "missed": self.u, "orthogonal": self.o}[parts[1]]
            return sigma + value**2 * np.outer(w, w), target
        if kind == "concept":
            toward = self.o
            if parts[1] == "brain":
                inside = stream(self.seed, TURN).standard_normal(self.k)
                inside -= (inside @ self.a) * self.a
                toward = inside / np.linalg.norm(inside) @ self.A
            norm = np.linalg.norm(self.beta)
            return sigma, np.cos(value) * self.beta + np.sin(value) * norm * toward
        if kind == "spectrum":
            d = len(self.variances)
            rows = gram_schmidt(stream(self.seed, SPECTRUM).standard_normal((d, d))) @ self.V.T
            falls = np.arange(1.0, d + 1) ** -value
            inner = rows.T @ np.diag(falls * d / falls.sum()) @ rows
        else:
            inner = {
                "id": eye,
                "scale": value * eye,
                "brain-insensitive": P + value * (eye - P),
                "brain-aligned": eye + (value - 1) * P,
                "missed-direction": eye + (value - 1) * np.outer(self.u, self.u),
            }[kind]
        return self.root @ inner @ self.root, target


def replicates(one, words, block, count, sizes, noises, gains, fits, shifts):
    """Excess risks (count, fits, shifts) of the first replicates of a block of the raw engine.

    `sizes` are n_task, n_brain and p; `noises` sigma_y and sigma_r; a fit is a subspace ("none",
    "estimated" or "measured"), eta and a penalty per sample.
    """
    n_task, n_brain, p = sizes
    d = len(one.variances)
    rngs = [stream(one.seed, *words, block, role) for role in range(6)]
    H, scale = one.channels(p, gains), np.sqrt(one.variances)
    found = np.empty((count, len(fits), len(shifts)))
    for at in range(count):
        X = rngs[0].standard_normal((n_task, d)) * scale @ one.V.T
        y = X @ one.beta + noises[0] * rngs[1].standard_normal(n_task)
        X_brain = rngs[2].standard_normal((n_brain, d)) * scale @ one.V.T
        drive = X_brain @ one.A.T @ H.T
        R = drive + noises[1] * rngs[3].standard_normal(drive.shape)
        bases = {
            "none": None,
            "estimated": estimated_subspace(X_brain, R, one.k, 0.0),
            "measured": one.A.T,
        }
        for row, (subspace, eta, penalty) in enumerate(fits):
            coef, _ = beta_hat(X, y, bases[subspace], eta, n_task * penalty)
            for column, shift in enumerate(shifts):
                M, target = one.moment(shift)
                found[at, row, column] = (coef - target) @ M @ (coef - target)
    return found
