"""One replicate again: the numbers that were run, and the NumPy that rebuilds them."""

import numpy as np
import pytest
from small_study import TABLE, study

from mcbrain.errors import InputError
from mcbrain.replay import replay
from mcbrain.runner import run


@pytest.mark.parametrize("changes", [{}, {"inputs": "student:7"}, {"inputs": "sparse:0.3"}])
def test_a_replayed_replicate_is_the_one_that_was_run_and_numpy_rebuilds_it(tmp_path, changes):

    table = study(
        model={**TABLE["model"], **changes},
        design={"n_task": [40], "n_brain": [60]},
        estimators={"ols": 0.0, "befs": 0.3},
        shifts={"id": {}},
        precision={"relative": 0.0, "max_replicates": 700},
    )
    run(table, tmp_path)
    again = replay(tmp_path, 1, 613)
    found: dict = {}
    exec(again.recipe, found)  # the lines that are printed for the user
    np.testing.assert_array_equal(found["X"], again.data["X"])
    X, y = again.data["X"], again.data["y"]
    beta_hat = np.linalg.lstsq(X, y, rcond=None)[0]
    excess = np.sum((beta_hat - again.data["beta"]) ** 2)
    ols = next(r for r in again.rows if r["estimator"] == "ols")
    assert ols["excess"] == pytest.approx(excess, rel=1e-10)
    again.save(tmp_path / "one.npz")
    with np.load(tmp_path / "one.npz", allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["X"], X)
    with pytest.raises(InputError, match="has replicates 0 to"):
        replay(tmp_path, 1, 10**9)
    with pytest.raises(InputError, match="--point 9"):
        replay(tmp_path, 9, 0)
