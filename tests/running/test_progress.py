"""What a run says of itself: the time that is left, and what to do when it ends early."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.studies import Precision
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.series import FIRST_LOOK, Series
from mcbrain.cli.progress import TerminalReporter
from mcbrain.plan.forecast import Forecast
from mcbrain.plan.stopping import times_more
from mcbrain.population.model import Model
from mcbrain.running.runner import Reporter, run

MODEL = {"input_dim": 12, "latent_dim": 3, "n_channels": 8, "misalignment": 0.2}


def problem(n_task):
    return RawProblem.of(Model(**MODEL), n_task, 0, 0)


def study(**precision):
    return study_from_table(
        {
            "name": "small",
            "model": MODEL,
            "design": {"n_task": [20, 200], "n_brain": 60},
            "estimators": {"ridge": "optimal", "befs": "optimal"},
            "precision": precision,
            "engine": {"kind": "raw"},
        }
    )


MANY = 100 * FIRST_LOOK


def forecast_of(problems, most=MANY):
    return Forecast(problems, lambda one: most)


def test_nothing_is_said_of_the_time_left_before_a_problem_was_judged():
    one = problem(20)
    forecast = forecast_of([one])
    assert forecast.left() is None
    forecast.judged(one, 0, None)
    forecast.computed(one, FIRST_LOOK, 1.0)
    assert forecast.left() is None and forecast.blind


def test_without_more_blocks_than_a_first_look_every_need_is_known():
    one, other = problem(20), problem(21)
    forecast = forecast_of([one, other], most=10)
    forecast.computed(one, 2, 1.0)
    pace = 0.5 / one.replicate_seconds / one.block_size
    rest = 8 * one.block_size * one.replicate_seconds + 10 * other.block_size * (
        other.replicate_seconds
    )
    assert forecast.left() == pytest.approx(rest * pace)


def test_a_dearer_problem_counts_for_what_its_replicates_cost():
    """Two of three problems done, of a fiftieth of the work: a third of the problems is left."""
    cheap, dear = [problem(20), problem(21)], problem(50_000)
    forecast = forecast_of([*cheap, dear])
    for one in cheap:
        forecast.computed(one, FIRST_LOOK, 1e-3)
        forecast.judged(one, FIRST_LOOK, FIRST_LOOK)
    typical = FIRST_LOOK * cheap[0].block_size  # replicates, of any problem
    blocks = max(-(-typical // dear.block_size), FIRST_LOOK)
    per_second = 2e-3 / sum(typical * p.replicate_seconds for p in cheap)
    seconds = blocks * dear.block_size * dear.replicate_seconds * per_second
    assert seconds > 50 * 1e-3
    assert forecast.left() == pytest.approx(seconds, rel=0.01)


def test_a_problem_that_needs_more_replicates_counts_for_them_at_its_latest_pace():
    one, other = problem(20), problem(21)
    forecast = forecast_of([one, other])
    forecast.computed(one, FIRST_LOOK, 2.0)
    forecast.judged(one, FIRST_LOOK, 4 * FIRST_LOOK)
    forecast.computed(one, FIRST_LOOK, 1.0)
    # Two of its four parts are left, a second each; the other needs four parts as well.
    part = 1.5 * other.replicate_seconds / one.replicate_seconds
    assert forecast.left() == pytest.approx(2 * 1.0 + 4 * part)


def test_a_problem_to_come_is_taken_for_those_that_were_judged_by_their_cost():
    judged = [problem(n) for n in (20, 500)]
    to_come = problem(61)
    forecast = forecast_of([*judged, to_come])
    for one, looks in zip(judged, (4, 2), strict=True):
        forecast.computed(one, looks * FIRST_LOOK, looks * 1.0)
        forecast.judged(one, looks * FIRST_LOOK, looks * FIRST_LOOK)
    cost, size = ([getattr(p, n) for p in judged] for n in ("replicate_seconds", "block_size"))
    needs = np.array([4, 2]) * FIRST_LOOK * np.array(size)
    blocks = np.ceil(needs @ np.array(cost) / sum(cost) / to_come.block_size)
    per_second = 6.0 / (needs @ np.array(cost))
    left = blocks * to_come.block_size * to_come.replicate_seconds * per_second
    assert forecast.left() == pytest.approx(left)


def test_no_problem_is_taken_to_need_more_than_it_may_have():
    one, other = problem(20), problem(21)
    forecast = Forecast([one, other], {one: MANY, other: 70}.get)
    forecast.computed(one, FIRST_LOOK, 1.0)
    forecast.judged(one, FIRST_LOOK, FIRST_LOOK)
    forecast.judged(one, FIRST_LOOK, 50 * FIRST_LOOK)
    pace = 1.0 / FIRST_LOOK
    part = other.replicate_seconds * other.block_size / one.replicate_seconds / one.block_size
    assert forecast.left() == pytest.approx(pace * (49 * FIRST_LOOK + 70 * part))


def test_the_replicates_that_a_target_needs_are_seen_from_the_first_look():
    """The spread of 64 blocks of 64 is known to 1.1 %, so that 10 % are 4 standard errors of
    its square (false alarms: 6e-5)."""
    values = np.random.default_rng(0).gamma(2.0, size=(1, FIRST_LOOK, 64))
    mean, count = values.mean(axis=2), np.full((1, FIRST_LOOK), 64.0)
    m2 = ((values - mean[..., None]) ** 2).sum(axis=2)
    replicates, none = np.full(FIRST_LOOK, 64), np.zeros(FIRST_LOOK)
    series = Series(replicates, count, mean, m2, count, none)
    relative = np.sqrt(0.5 / (10 * 64 * FIRST_LOOK))  # of ten times as many: 0.5 is var / mean^2
    short = np.ones(1, bool)
    assert times_more(Precision(relative=relative), series, short) == pytest.approx(10, rel=0.1)
    assert times_more(Precision(absolute=2 * relative), series, short) == pytest.approx(10, rel=0.1)
    assert times_more(Precision(relative=0.0), series, short) == np.inf
    assert times_more(Precision(), series, ~short) == 1.0


@pytest.mark.parametrize("precision", [{"relative": 0.02}, {"relative": 0, "max_replicates": 9000}])
def test_the_time_left_of_a_run_ends_at_zero(tmp_path, precision):
    seen = []

    class Ear(Reporter):
        @contextmanager
        def stage(self, name, problems):
            seen.clear()
            yield lambda tally: seen.append(tally.left)

    run(study(**precision), tmp_path / "a", reporter=Ear())
    known = [left for left in seen if left is not None]
    assert min(known) >= 0 and known[-1] == 0.0
    assert seen == [None] * (len(seen) - len(known)) + known


def test_a_run_cut_by_its_time_limit_asks_for_another_and_not_for_more_replicates(tmp_path, capsys):
    asked = study(relative=0.001)
    reporter = TerminalReporter(asked)
    reporter.close(run(asked, tmp_path / "a", max_time=0.0, reporter=reporter))
    said = capsys.readouterr().err
    assert "mcse_not_met): the time limit came first, run again to go on" in said
    assert "max_replicates" not in said
    few = study(relative=0.001, max_replicates=1000)
    reporter.close(run(few, tmp_path / "a", reporter=reporter))
    said = capsys.readouterr().err
    assert "mcse_not_met): raise max_replicates or ask for less precision" in said


def test_the_laws_alone_load_no_compiler():
    code = (
        "import sys; from mcbrain.engines import warm_up; "
        "warm_up('law'); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
