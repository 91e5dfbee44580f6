"""What laboratories have is judged rightly: every situation that was once judged wrongly."""

import numpy as np
import pytest

from mcbrain.appraisal import appraise
from tests.appraisal.coverage import claims_worth, true_reduction
from tests.appraisal.situations import SITUATIONS

# Those that take more than two seconds of a processor.
_LONG = {
    "useless brain",
    "rows in time, blocks given",
    "near repeats",
    "shared noise and a response",
    "channels of unequal noise",
    "brain inputs twice as large",
    "more channels than rows",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] * (name in _LONG)) for name in SITUATIONS],
)
def test_the_verdict_is_right(name):
    situation = SITUATIONS[name]
    truth = situation.draw(np.random.default_rng(0))
    found = appraise(*truth.arrays, **truth.options, draws=100)
    paragraph = found.verdict.paragraph
    assert found.verdict.answer in situation.right, paragraph
    assert situation.words in paragraph
    contradicted = [one.name for one in found.diagnostics if one.contradicted]
    assert any(one.startswith(situation.contradicted) for one in [*contradicted, ""])
    assert ("next purchase" in paragraph) == (found.worth is not None)
    if claims_worth(found) and found.estimates.shape.d == truth.weights.size:
        saved, error = true_reduction(truth, found, 0)
        assert saved > -3 * error
