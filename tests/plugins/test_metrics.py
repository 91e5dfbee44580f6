"""Metrics beside plug-ins: columns, and what a metric may give."""

import numpy as np
import pytest

from mcbrain.running.computing import compute
from tests.support.own_plugins import PYTHON, RIDGE, study, write

SHIFTS = ["id", "brain-insensitive:2", "mean:2:brain", "brain-insensitive:4"]
SIGNS = {"model": {"labels": "sign"}, "shifts": SHIFTS, "metrics": {"error_rate": {}}}


def test_risks_of_a_python_plugin_stay_those_of_ridge_beside_a_metric(tmp_path):
    write(tmp_path, RIDGE, PYTHON)
    asked = {"ridge": 0.1, "own_ridge": {}, "python_ridge": {}}
    table = compute(study(tmp_path, asked, **SIGNS), threads=1).table.to_pylist()
    found = {(row["estimator"], row["shift"]): row for row in table}
    for shift in SHIFTS:
        ridge, own, python = (found[name, shift] for name in asked)
        for other in (own, python):
            for column in ("mean", "mcse", "sd", "median"):
                np.testing.assert_allclose(other[column], ridge[column], rtol=1e-10)
        if shift != "mean:2:brain":
            assert own["error_rate"] == pytest.approx(ridge["error_rate"], rel=1e-10)
        assert python["error_rate"] is None
