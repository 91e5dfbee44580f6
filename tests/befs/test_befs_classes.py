"""Classes, and both data sets in one estimator."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from mcbrain.befs import BEFSClassifier, BEFSRegressor, BrainEncoder, BrainRegularised
from mcbrain.errors import InputError


@parametrize_with_checks([BEFSClassifier(penalty=1.0)])
def test_the_classifier_is_one_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("classes", [["left", "right"], [3, 1, 2], [False, True]])
def test_without_a_subspace_classes_are_those_of_ridge(classes):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 5))
    y = np.array(classes)[np.argmax(X[:, : len(classes)] + rng.standard_normal(), axis=1)]
    ours = BEFSClassifier(penalty=2.0, penalty_scale="sum").fit(X, y)
    theirs = RidgeClassifier(alpha=2.0).fit(X, y)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == y.dtype
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-10)


def test_a_subspace_that_matters_helps_to_classify():
    rng = np.random.default_rng(1)
    X, X_new = rng.standard_normal((60, 40)), rng.standard_normal((500, 40))
    y, y_new = (np.where(rows[:, 0] > 0, "a", "b") for rows in (X, X_new))
    befs = BEFSClassifier(np.eye(40)[:, :1], "gcv").fit(X, y)
    ridge = BEFSClassifier(None, "gcv").fit(X, y)
    assert befs.score(X_new, y_new) > ridge.score(X_new, y_new) + 0.05


def test_a_single_class_is_a_sentence():
    with pytest.raises(InputError, match="y holds one class, a: at least two"):
        BEFSClassifier().fit(np.eye(5), ["a"] * 5)


def brain_data():
    rng = np.random.default_rng(2)
    X, X_brain = rng.standard_normal((50, 20)), rng.standard_normal((400, 20))
    R = X_brain[:, :2] @ rng.standard_normal((2, 8)) + rng.standard_normal((400, 8))
    return X, X[:, 0] + 0.5 * rng.standard_normal(50), X_brain, R


def test_one_estimator_of_both_data_sets_is_encoder_and_regression():
    X, y, X_brain, R = brain_data()
    found = BrainRegularised(2, 0.1, 0.5).fit(X, y, X_brain=X_brain, R=R)
    encoder = BrainEncoder(2, 0.1).fit(X_brain, R)
    slow = BEFSRegressor(encoder.subspace_, 0.5).fit(X, y)
    assert_allclose(found.predict(X), slow.predict(X), rtol=1e-12)
    kept = BrainRegularised(penalty=0.5, encoder=encoder)
    assert_allclose(kept.fit(X, y).predict(X), slow.predict(X), rtol=1e-12)
    scores = cross_val_score(BrainRegularised(encoder=encoder), X, y, cv=5)
    assert scores.mean() > cross_val_score(BEFSRegressor(None, "gcv"), X, y, cv=5).mean()


def test_brain_data_that_is_missing_is_a_sentence():
    X, y, X_brain, _ = brain_data()
    with pytest.raises(InputError, match="X_brain and R belong together"):
        BrainRegularised().fit(X, y, X_brain=X_brain)
    with pytest.raises(InputError, match="fit needs X_brain and R, or encoder="):
        BrainRegularised().fit(X, y)
    with pytest.raises(InputError, match="encoder is not fitted"):
        BrainRegularised(encoder=BrainEncoder()).fit(X, y)
