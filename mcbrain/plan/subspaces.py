"""Where the moments of the estimated subspace come from: known, measured by a pilot, or a law."""

from __future__ import annotations

import math
from functools import cached_property

from mcbrain.asking.estimators import Estimator, Method
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import BrainProblem
from mcbrain.blocks.query import Encoding
from mcbrain.blocks.series import Series
from mcbrain.errors import MissingPilotError, unhandled
from mcbrain.plan.anisotropic import AnisotropicLaw
from mcbrain.plan.best_encoding import best_encoding, compared_penalties
from mcbrain.plan.moments import brain_statistics, subspace_moments
from mcbrain.population.model import Model
from mcbrain.store.protocol import Store
from mcbrain.theory.subspace import SubspaceMoments

__all__ = ["PILOT_BLOCKS", "LawSubspaces", "PilotSubspaces", "Subspaces"]

PILOT_BLOCKS = 64
"""Blocks of every pilot, whatever precision a study asks for."""


class Subspaces:
    """Moments of C^ = A'PA for the subspace that an estimator spares (theory/README.md 4e).

    Parameters
    ----------
    study : Study
        What is asked, with the settings of stage 1.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._known: dict[bytes, SubspaceMoments] = {}
        self._best: dict[tuple[Method, Model, int, int], float] = {}

    @cached_property
    def anisotropic(self) -> AnisotropicLaw:
        """The law for inputs and encoders that the exact laws do not cover.

        There is one for the study, so that penalties and predictions share imagined recordings.
        """
        return AnisotropicLaw(self.study.seed)

    def encoding(self, method: Method, point: Point) -> Encoding:
        """Stage 1 of a method at a point: its rank, and its penalty or the rule that chooses it.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        Encoding
            Of rule `optimal` the penalty of least risk by law, 0 where there is no brain data.

        Raises
        ------
        InputError
            The rule wants the least risk, and the data is not Gaussian, so that no law says it.
        """
        rule, rank = method.encoder.rule, method.encoder.rank_of(point.model)
        match rule.record.by:
            case "study":
                return Encoding(rank, rule.value)
            case "replicate":
                return Encoding(rank, math.nan, rule.kind)
            case "risk":
                if not self.simulated(method.estimator, point) or point.n_brain < rank:
                    return Encoding(rank, 0.0)
                name = (method, point.model, point.n_task, point.n_brain)
                if name not in self._best:
                    own, law = method.rule.value, self.anisotropic
                    if method.rule.fixed:
                        own = self.study.per_sample(own, point.n_task)
                    self._best[name] = best_encoding(law, method, point, own)
                return Encoding(rank, self._best[name])
        raise unhandled("encoder's penalty rule", rule.kind, "plan/subspaces.py")

    def candidates(self, method: Method, point: Point) -> tuple[Encoding, ...]:
        """What stage 1 of a method may be at a point: known at once, or compared by a pilot.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        tuple of Encoding
            One, but where the best penalty is wanted and the data is not Gaussian.
        """
        rank = method.encoder.rank_of(point.model)
        known = method.encoder.rule.record.by != "risk" or point.n_brain < rank
        if known or self.anisotropic.gaussian(method.estimator, point):
            return (self.encoding(method, point),)
        return tuple(Encoding(rank, penalty) for penalty in compared_penalties(point.model))

    def problem(self, point: Point, encoding: Encoding) -> BrainProblem:
        """The pilot problem that measures the moments at a point's number of brain samples.

        Parameters
        ----------
        point : Point
            One of the study's.
        encoding : Encoding
            Stage 1; its penalty is a number.

        Returns
        -------
        BrainProblem
            A pilot, whose streams are not those of the study's own problems.
        """
        rank, penalty, seed = encoding.rank, encoding.penalty, self.study.seed
        return BrainProblem.of(point.model, point.n_brain, rank, penalty, seed, pilot=True)

    def simulated(self, estimator: Estimator, point: Point) -> bool:
        """Whether the subspace that an estimator spares depends on brain data.

        Parameters
        ----------
        estimator : Estimator
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        bool
            False also for an estimator that uses brain data where there is none.
        """
        return estimator.uses_brain and point.n_brain > 0

    def lawful(self, estimator: Estimator, point: Point) -> bool:
        """Whether the exact laws hold for what an estimator uses at a point (theory/README.md 4).

        Recordings, and with them how the latents drive them, count only where the subspace is
        estimated from them.

        Parameters
        ----------
        estimator : Estimator
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        bool
            Whether all that it uses is isotropic and Gaussian.
        """
        model = point.model
        return model.isotropic if self.simulated(estimator, point) else model.isotropic_inputs

    def moments(self, estimator: Estimator, point: Point, encoding: Encoding) -> SubspaceMoments:
        """Moments of the subspace that an estimator spares at a point.

        Parameters
        ----------
        estimator : Estimator
            One of the study's.
        point : Point
            One of the study's.
        encoding : Encoding
            Stage 1, which counts where the subspace is estimated; its penalty is a number.

        Returns
        -------
        SubspaceMoments
            Of rank 0 where nothing is spared, or no brain data says what.

        Raises
        ------
        MissingPilotError
            A pilot is to say them, and its blocks are not all there.
        NotImplementedError
            The estimator spares a kind of subspace that is unknown here.
        """
        k = point.model.k_m
        match estimator.subspace:
            case "measured":
                return SubspaceMoments.oracle(k)
            case "none":
                return SubspaceMoments.none(k)
            case "estimated":
                if not self.simulated(estimator, point):
                    return SubspaceMoments.none(k)
            case _:
                raise unhandled("subspace", estimator.subspace, "plan/subspaces.py")
        problem = self.problem(point, encoding)
        if problem.key not in self._known:
            self._known[problem.key] = self._estimated(problem, point)
        return self._known[problem.key]

    def _estimated(self, problem: BrainProblem, point: Point) -> SubspaceMoments:
        raise NotImplementedError


class PilotSubspaces(Subspaces):
    """Moments measured by pilots of fixed size, on streams of their own.

    Parameters
    ----------
    study : Study
        What is asked, with the settings of stage 1.
    store : Store
        Holds the pilots' blocks.
    """

    kind = "semi-exact"

    def __init__(self, study: Study, store: Store) -> None:
        super().__init__(study)
        self.store = store
        self._left_out: dict[bytes, SubspaceMoments] = {}

    def series(self, problem: BrainProblem) -> Series:
        """The blocks of a pilot.

        Parameters
        ----------
        problem : BrainProblem
            A pilot, as `problem` makes it.

        Returns
        -------
        Series
            `PILOT_BLOCKS` blocks of the statistics of `brain_statistics`, in their order.

        Raises
        ------
        MissingPilotError
            The pilot has not been run, or not to its end.
        """
        ids = [s.id for s in brain_statistics(len(problem.latent_gains))]
        series = self.store.series(problem, ids).head(PILOT_BLOCKS)
        if series.n_blocks < PILOT_BLOCKS:
            raise MissingPilotError(
                f"the pilot for n_brain = {problem.n_brain} is not complete; run the study first"
            )
        return series

    def _estimated(self, problem: BrainProblem, point: Point) -> SubspaceMoments:
        return subspace_moments(problem, self.series(problem).totals()[1])

    def leave_one_out(self, point: Point, encoding: Encoding) -> SubspaceMoments:
        """The moments with each block of the pilot left out in turn.

        Parameters
        ----------
        point : Point
            One of the study's.
        encoding : Encoding
            Stage 1; its penalty is a number.

        Returns
        -------
        SubspaceMoments
            Arrays of shape (`PILOT_BLOCKS`, k, k), k the number of measured latents.

        Raises
        ------
        MissingPilotError
            The pilot has not been run, or not to its end.
        """
        problem = self.problem(point, encoding)
        if problem.key not in self._left_out:
            left = self.series(problem).without_each_block()
            self._left_out[problem.key] = subspace_moments(problem, left)
        return self._left_out[problem.key]


class LawSubspaces(Subspaces):
    """Moments by the high-dimensional law (theory/README.md 5b); simulates nothing.

    Parameters
    ----------
    study : Study
        What is asked, with the settings of stage 1.
    """

    kind = "asymptotic"

    def _estimated(self, problem: BrainProblem, point: Point) -> SubspaceMoments:
        from mcbrain.theory.asymptotic import subspace_law

        return subspace_law(
            n_brain=problem.n_brain,
            input_dim=problem.input_dim,
            n_channels=problem.n_channels,
            neural_noise=problem.neural_noise,
            gains=problem.latent_gains,
            rank=problem.rank,
            encoding_penalty=problem.encoding_penalty,
        )
