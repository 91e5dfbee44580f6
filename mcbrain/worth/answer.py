"""The answer to how much brain data is worth, whether by law or by simulation."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Value"]


@dataclass(frozen=True)
class Value:
    """What n_brain brain samples are worth beside n_task task samples.

    Attributes
    ----------
    n_task, n_brain : int
        Numbers of samples.
    baseline : str
        What would be used without brain data: "ridge" (tuned) or "ols".
    task_samples : float
        v_T, the task samples that the brain data replaces: the baseline needs n_task + v_T of them
        for the risk that BEFS has. Negative where brain data hurts; NaN where the baseline never
        has that risk, which `note` then says.
    saved_fraction : float
        v_T / (n_task + v_T).
    exchange_rate : float
        v_T / n_brain; NaN without brain data.
    marginal_rate : float
        Task samples that the next brain sample replaces, on the surface of BEFS; by the law even
        where the value is simulated, as is `saturation`.
    interval : tuple of float
        Of `task_samples`. Simulated: 95 %, by jackknife over blocks. From the laws: its range when
        m_bar is off by as much as law 5b is in 95 % of models (`law_accuracy`).
    saturation : float
        v_T with unlimited brain data.
    risk, baseline_risk : float
        Excess risk of BEFS, and of the baseline at n_task, in units of |beta|^2.
    source : str
        "law", or "measured" for a simulated value.
    note : str
        What must be known to read the numbers; empty if nothing.
    """

    n_task: int
    n_brain: int
    baseline: str
    task_samples: float
    saved_fraction: float
    exchange_rate: float
    marginal_rate: float
    interval: tuple[float, float]
    saturation: float
    risk: float
    baseline_risk: float
    source: str = "law"
    note: str = ""
