"""The main loop with made-up blocks: which are computed, when a problem stops, what is kept."""

import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import statistic_id
from mcbrain.blocks.sums import BlockSums
from mcbrain.plan.forecast import Forecast
from mcbrain.plan.plans import Work, spread
from mcbrain.plan.stopping import Stopping
from mcbrain.population.model import Model
from mcbrain.running.conductor import Conductor
from mcbrain.running.pool import Pool
from mcbrain.running.work_in_progress import complete, progress
from mcbrain.store.memory import MemoryStore


@dataclass(frozen=True)
class Named:
    """A statistic with a name."""

    name: str

    @property
    def id(self):
        return statistic_id(self.name)


A, B, C = Named("a"), Named("b"), Named("c")


def _problem(n_task):
    return RawProblem.of(Model(input_dim=4, latent_dim=1, n_channels=2), n_task, 0, seed=1)


ONE, TWO = _problem(5), _problem(6)


class Lab:
    """Computes made-up blocks, and remembers which it was asked for."""

    def __init__(self, seconds=0.001, sleep=0.0):
        self.asked, self.lock = [], threading.Lock()
        self.seconds, self.sleep = seconds, sleep
        self.before = lambda job: None

    def __call__(self, job):
        with self.lock:
            self.asked += [
                (job.problem, i, tuple(q.name for q in job.queries)) for i in job.indices
            ]
        time.sleep(self.sleep)
        self.before(job)
        return [self.block(i, len(job.queries)) for i in job.indices]

    def block(self, index, width):
        mean = np.full(width, float(index))
        ones = np.ones(width, np.int64)
        return BlockSums(
            index, 4, 4 * ones, mean, 0 * mean, 0 * ones, cross=0 * mean, seconds=self.seconds
        )

    def of(self, problem):
        """Block numbers that were computed of a problem, with what was asked of them."""
        return sorted((i, names) for p, i, names in self.asked if p == problem)


def _stop_at(ends):
    """A rule that calls each statistic precise enough once it has so many blocks."""
    return lambda series, asked: np.array([series.n_blocks >= ends[q.name] for q in asked])


def _never(series, asked):
    return np.zeros(len(asked), bool)


def _work(problem, queries, max_blocks, judge=_never, **more):
    return Work(problem, queries, Stopping(max_blocks, judge, **more))


def _conduct(works, lab, store=None, threads=3, report=lambda tally: None, **options):
    store = MemoryStore() if store is None else store
    with ThreadPoolExecutor(threads) as pool:
        most = {w.problem: w.stopping.max_blocks for w in works}
        forecast = Forecast(most, most.get)
        conductor = Conductor(store, Pool(pool, threads), lab, forecast=forecast, **options)
        return store, conductor.run(iter(works), report)


def test_a_rule_that_is_never_met_computes_every_block_that_is_allowed_once():
    lab = Lab()
    store, tally = _conduct([_work(ONE, (A, B), 150)], lab)
    assert lab.of(ONE) == [(i, ("a", "b")) for i in range(150)]
    assert (tally.problems, tally.blocks, tally.replicates, tally.reused) == (1, 150, 600, 0)
    assert not tally.stopped
    np.testing.assert_array_equal(store.series(ONE, [B.id]).mean, [np.arange(150.0)])


def test_each_statistic_is_computed_to_the_look_at_which_it_is_precise_enough():
    lab = Lab()
    _conduct([_work(ONE, (A, B, C), 1000, _stop_at({"a": 1, "b": 65, "c": 129}))], lab)
    wanted = [(i, ("a", "b", "c")) for i in range(64)]
    wanted += [(i, ("b", "c")) for i in range(64, 128)]
    assert lab.of(ONE) == wanted + [(i, ("c",)) for i in range(128, 256)]


def test_slots_that_come_later_have_work_and_so_have_those_that_are_left():
    """As many jobs are out as the pool has room for, whenever that is."""
    lab, out, sizes = Lab(), set(), []
    with ThreadPoolExecutor(8) as threads:
        pool = Pool(threads, 0, job_seconds=0.001, ahead=3, growing=True)

        def begun(job):
            with lab.lock:
                out.add(job)
                sizes.append(len(conductor._flying))
                count = len(sizes)
            pool.counted({20: 1, 40: 4, 80: 1, 100: 2}.get(count, pool.slots))

        lab.before = begun
        conductor = Conductor(MemoryStore(), pool, lab, forecast=Forecast([ONE, TWO]))
        tally = conductor.run(iter([_work(ONE, (A,), 300), _work(TWO, (B,), 300)]))
    assert tally.blocks == 600 and pool.most == 4
    assert max(sizes[:20]) <= 3 and 3 < max(sizes[21:40]) <= 6 < max(sizes[41:80]) <= 15


def test_a_time_limit_calls_back_what_no_slot_is_at():
    """Jobs of a cluster whose workers are gone would never end."""

    class Nowhere(Executor):
        def submit(self, *_):
            return Future()

    store, works = MemoryStore(), iter([_work(ONE, (A,), 300)])
    pool = Pool(Nowhere(), 0, growing=True)
    deadline, forecast = time.monotonic() + 0.05, Forecast([ONE])
    tally = Conductor(store, pool, Lab(), deadline, forecast).run(works)
    assert tally.stopped and not tally.blocks


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_what_is_computed_does_not_depend_on_threads(threads):
    lab = Lab()
    works = [
        _work(ONE, (A,), 300, _stop_at({"a": 100})),
        _work(TWO, (B,), 70),
    ]
    _, tally = _conduct(works, lab, threads=threads)
    assert [i for i, _ in lab.of(ONE)] == list(range(128))
    assert [i for i, _ in lab.of(TWO)] == list(range(70))
    assert (tally.problems, tally.blocks) == (2, 198)


def test_blocks_that_are_there_are_reused_and_only_what_they_lack_is_computed():
    store, lab = MemoryStore(), Lab()
    for index in [*range(40), 50, 90]:
        store.add(ONE, (A.id,), lab.block(index, 1))
    for index in range(10):
        store.add(ONE, (B.id,), lab.block(index, 1))
    _, tally = _conduct([_work(ONE, (A, B), 64)], lab, store)
    there = {*range(40), 50}
    wanted = [(i, ("b",)) for i in sorted(there - set(range(10)))]
    wanted += [(i, ("a", "b")) for i in range(64) if i not in there]
    assert lab.of(ONE) == sorted(wanted)
    # Ten blocks had everything; block 90 is past what is asked for.
    assert tally.reused == 10 and tally.blocks == 54


def test_a_problem_that_is_complete_asks_for_nothing():
    lab = Lab()
    store, _ = _conduct([_work(ONE, (A,), 70)], lab)
    again, lab = _work(ONE, (A,), 70), Lab()
    _, tally = _conduct([again], lab, store)
    assert lab.asked == [] and (tally.problems, tally.reused, tally.blocks) == (1, 70, 0)
    assert complete(again, store) and progress(again, store) == (70, 70)


def test_progress_counts_what_the_precision_so_far_asks_for():
    """After 64 blocks a statistic that needs 2.5 times as many goes to the look at 256."""
    store, lab = MemoryStore(), Lab()
    work = _work(ONE, (A,), 1000, _never, factor=lambda series, short: 2.5)
    assert progress(work, store) == (0, 64) and not complete(work, store)
    for index in range(70):
        store.add(ONE, (A.id,), lab.block(index, 1))
    assert progress(work, store) == (70, 256)
    work = _work(ONE, (A,), 1000, _never, factor=lambda series, short: 1e9)
    assert progress(work, store) == (70, 1000)


def test_no_block_begins_after_the_deadline_and_what_runs_is_kept():
    lab = Lab()
    store, tally = _conduct([_work(ONE, (A,), 64)], lab, deadline=time.monotonic() - 1)
    assert lab.asked == [] and tally.stopped and tally.blocks == 0
    lab = Lab(sleep=0.02)
    store, tally = _conduct([_work(ONE, (A,), 4000)], lab, deadline=time.monotonic() + 0.1)
    assert tally.stopped and 0 < tally.blocks < 4000
    assert len(store.added) == tally.blocks == len(lab.asked)
    # A deadline that comes after the last block has stopped nothing.
    _, tally = _conduct([_work(ONE, (A,), 9)], Lab(), deadline=time.monotonic() + 60)
    assert not tally.stopped


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_deadline_during_the_last_blocks_has_stopped_nothing(threads):
    """Four jobs of a block each, all on their way or done when the time is over."""
    lab = Lab(seconds=1.0, sleep=0.1)
    late = time.monotonic() + 0.1 * 4 / threads - 0.05
    store, tally = _conduct([_work(ONE, (A,), 4)], lab, threads=threads, deadline=late)
    assert len(store.added) == tally.blocks
    assert tally.stopped == (tally.blocks < 4)
    # Nor has one that was over before a run that finds every block there.
    store, _ = _conduct([_work(ONE, (A,), 4)], Lab())
    works = [_work(ONE, (A,), 4)]
    _, tally = _conduct(works, Lab(), store, deadline=time.monotonic() - 1)
    assert not tally.stopped and (tally.problems, tally.reused) == (1, 4)


def test_a_job_that_fails_stops_the_run_and_keeps_what_others_have_finished():
    lab = Lab(sleep=0.005)

    def fail(job):
        if job.problem == TWO:
            raise ArithmeticError("made up")

    lab.before = fail
    store = MemoryStore()
    with pytest.raises(ArithmeticError, match="made up"):
        _conduct(
            [_work(ONE, (A,), 20), _work(TWO, (A,), 20)],
            lab,
            store,
        )
    assert 0 < len(store.added) <= 20
    assert store.series(TWO, [A.id]).n_blocks == 0


def test_an_interruption_from_the_report_keeps_every_finished_block():
    lab = Lab(sleep=0.002)

    def report(tally):
        if tally.blocks >= 10:
            raise KeyboardInterrupt

    store = MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        _conduct([_work(ONE, (A,), 5000)], lab, store, report=report)
    assert 10 <= len(store.added) < 5000 and len(store.added) == len(lab.asked)


def test_jobs_are_about_a_tenth_of_a_second_and_at_most_256_blocks_long():
    for seconds, low, high in ((1e-6, 200, 256), (0.01, 5, 64), (1.0, 1, 1)):
        jobs, lab = [], Lab(seconds)
        lab.before = lambda job, jobs=jobs: jobs.append(len(job.indices))
        _conduct([_work(ONE, (A,), 2000)], lab, threads=1)
        assert sum(jobs) == 2000
        assert low <= max(jobs[len(jobs) // 2 :]) <= high, seconds


def test_the_tally_of_every_report_counts_what_is_in_the_store():
    store, seen = MemoryStore(), []

    def report(tally):
        seen.append((tally.blocks, len(store.added), tally.left))

    _conduct([_work(ONE, (A,), 256)], Lab(), store, report=report)
    assert all(blocks == added for blocks, added, _ in seen)
    assert seen[-1][0] == 256 and seen[-1][2] == 0.0


def test_a_work_that_is_made_late_sees_the_blocks_of_the_one_before_it():
    """Works come from an iterator, the next one when there is room for its blocks."""
    store, lab, made = MemoryStore(), Lab(), []

    def works():
        for problem in (ONE, TWO):
            made.append((problem, len(store.added)))
            yield _work(problem, (A,), 64)

    with ThreadPoolExecutor(1) as pool:
        Conductor(store, Pool(pool, 1), lab, forecast=Forecast([ONE, TWO])).run(works())
    assert [p for p, _ in made] == [ONE, TWO] and made[1][1] > 0


def _looks_of(lab):
    """The look that each block was a part of, in the order in which blocks were asked for."""
    return [(i // 64).bit_length() for _, i, _ in lab.asked]


@pytest.mark.parametrize("threads", [1, 3])
def test_every_problem_has_its_first_look_before_any_has_its_second(threads):
    problems = [_problem(n) for n in range(5, 12)]
    lab = Lab()
    _conduct([_work(p, (A,), 300) for p in problems], lab, threads=threads)
    assert sorted(_looks_of(lab)) == [0] * 448 + [1] * 448 + [2] * 896 + [3] * 308
    # Blocks of the next look fill the slots only while the last ones of a look are out.
    order, out = _looks_of(lab), 2 * threads * 64
    for look in range(3):
        last = max(i for i, one in enumerate(order) if one == look)
        assert sum(one > look for one in order[:last]) <= out


def test_a_run_that_goes_on_gives_first_looks_before_it_refines():
    store, lab = MemoryStore(), Lab()
    for problem, blocks in ((ONE, 128), (TWO, 10)):
        for index in range(blocks):
            store.add(problem, (A.id,), lab.block(index, 1))
    three = _problem(7)
    works = [_work(p, (A,), 256) for p in (ONE, TWO, three)]
    _conduct(works, lab, store, threads=1)
    asked = [(p, i) for p, i, _ in lab.asked]
    assert {(p, i >= 64) for p, i in asked[:118]} == {(TWO, False), (three, False)}
    assert asked[-1][1] >= 128 and len(asked) == 3 * 256 - 138


def test_a_deadline_leaves_every_problem_with_about_as_much():
    """What is ended while 40 problems have their first look has begun none a second time."""
    lab = Lab(seconds=0.01, sleep=0.002)
    works = [_work(_problem(n), (A,), 6400) for n in range(5, 45)]
    _, tally = _conduct(works, lab, threads=2, deadline=time.monotonic() + 0.3)
    assert tally.stopped and set(_looks_of(lab)) == {0}


def test_works_of_one_problem_follow_each_other_and_draw_nothing_twice():
    lab = Lab()
    _, tally = _conduct([_work(ONE, (A,), 130), _work(TWO, (A,), 64), _work(ONE, (A, B), 64)], lab)
    wanted = [(i, ("a",)) for i in range(130)] + [(i, ("b",)) for i in range(64)]
    assert lab.of(ONE) == sorted(wanted) and tally.problems == 2


def _errors_of_forecasts(needs, sizes, most, draws=64, threads=2):
    """Over a run of made-up problems: the time left that was said, over what there was.

    Block costs follow from the problem; every job counts as the seconds of its blocks.
    """
    problems = [_problem(n) for n in sizes]
    rng = np.random.default_rng(1)
    ends = dict(zip(problems, needs, strict=True))
    cost = {p: 1e-3 * p.replicate_seconds / problems[0].replicate_seconds for p in problems}

    class Bench(Lab):
        def __call__(self, job):
            blocks = super().__call__(job)
            for sums in blocks:
                sums.seconds = cost[job.problem] * rng.uniform(0.8, 1.2)
            return blocks

    def work(problem):
        return _work(
            problem, (A,), most, lambda s, asked: np.full(1, s.n_blocks >= ends[problem]),
            factor=lambda series, short: ends[problem] / series.n_blocks,
        )  # fmt: skip

    seen = []
    _conduct(
        [work(problems[i]) for i in spread(len(problems))], Bench(), threads=threads,
        report=lambda t: seen.append((t.forecast.done, t.forecast.left())),
    )  # fmt: skip
    total = seen[-1][0]
    late = [(done, left) for done, left in seen if 0.1 * total < done < 0.9 * total]
    assert late
    return [np.inf if left is None else left / (total - done) for done, left in late]


@pytest.mark.parametrize("most", [40, 64, 200, 100_000])
@pytest.mark.parametrize("kind", ["one", "alike", "grid"])
def test_the_work_left_is_known_within_half_from_a_tenth_of_the_run_on(most, kind):
    """Problems that cost up to twelve times as much as others and need up to 8 times as many."""
    sizes = {"one": [5], "alike": range(5, 20), "grid": range(5, 405, 20)}[kind]
    needs = [300] if kind == "one" else 2.0 ** (6 + 3 * np.cos(np.arange(len(sizes)) / 7) ** 2)
    found = np.array(_errors_of_forecasts(needs, sizes, most))
    assert np.all((found > 1 / 1.5) & (found < 1.5)), (found.min(), found.max())
