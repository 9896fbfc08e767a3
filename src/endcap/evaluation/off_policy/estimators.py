"""The estimators, a function each: from weights and predicted rewards to what each round says.

Notation: w is the importance weight of a round, r its reward, q the predicted reward of what was
shown, and v the predicted reward of the target, sum over a of pi_e(a | x) q(x, a).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from endcap.evaluation.off_policy.feedback import Floats


@dataclass(frozen=True, slots=True)
class Parts:
    """What each round adds to an estimate: mean(plain) + mean(weighted) / mean(divisor).

    All of shape (n_rounds,). The divisor is 1 unless the estimator is self-normalised; keeping it
    apart lets intervals resample it too.
    """

    plain: Floats
    weighted: Floats
    divisor: Floats

    @property
    def value(self) -> float:
        """The estimate; NaN when the divisor is 0 throughout."""
        return float(self.contributions().mean())

    def contributions(self) -> Floats:
        """Return numbers, one a round, whose mean is the estimate."""
        return self.plain + self._ratio(self.weighted)

    def influence(self) -> Floats:
        """Return by how much each round moves the estimate, to first order; mean 0.

        Source: the delta method for a ratio of means.
        """
        share = float(self._ratio(self.weighted).mean())
        ratio = self._ratio(self.weighted - share * self.divisor)
        return np.asarray(self.plain - self.plain.mean() + ratio)

    def _ratio(self, values: Floats) -> Floats:
        below = self.divisor.mean()
        return np.asarray(values / below) if below > 0 else np.full_like(values, np.nan)


def direct(target_reward: Floats) -> Parts:
    """Return the direct method: believe the reward model, ignore what was logged.

    The mean of v. Source: Dudík, Langford, Li 2011.
    """
    return _unnormalised(plain=target_reward, weighted=np.zeros_like(target_reward))


def ips(reward: Floats, weight: Floats) -> Parts:
    """Return inverse propensity scoring: mean of w r. Unbiased if all is supported, but unsteady.

    Source: Horvitz, Thompson 1952.
    """
    return _unnormalised(plain=np.zeros_like(reward), weighted=weight * reward)


def snips(reward: Floats, weight: Floats) -> Parts:
    """Return self-normalised inverse propensity scoring: mean of w r / mean of w.

    Never outside the range of the rewards; biased by the order of 1 / n.

    Source: Swaminathan, Joachims 2015.
    """
    return Parts(np.zeros_like(reward), weight * reward, weight)


def doubly_robust(target_reward: Floats, residual: Floats, weight: Floats) -> Parts:
    """Return the doubly robust estimate: mean of v + w (r - q).

    Unbiased if either the propensities or the predicted rewards are right.

    Args:
        target_reward: v.
        residual: r - q.
        weight: w.

    Source: Dudík, Langford, Li 2011.
    """
    return _unnormalised(plain=target_reward, weighted=weight * residual)


def self_normalised_dr(target_reward: Floats, residual: Floats, weight: Floats) -> Parts:
    """Return the doubly robust estimate with weights divided by their mean; see `doubly_robust`.

    Source: Kallus, Uehara 2019.
    """
    return Parts(target_reward, weight * residual, weight)


def switch_dr(target_reward: Floats, residual: Floats, weight: Floats, *, tau: float) -> Parts:
    """Return the doubly robust estimate that believes the model where a weight is above tau.

    The direct method at tau = 0, the doubly robust one at infinity; see `doubly_robust`.

    Source: Wang, Agarwal, Dudík 2017, with the doubly robust estimate below tau.
    """
    return doubly_robust(target_reward, residual, np.where(weight <= tau, weight, 0.0))


def shrunk_dr(target_reward: Floats, residual: Floats, weight: Floats, *, lam: float) -> Parts:
    """Return the doubly robust estimate with optimistic shrinkage: w becomes lam w / (w^2 + lam).

    The direct method at lam = 0, the doubly robust one at infinity; see `doubly_robust`.

    Source: Su, Dimakopoulou, Krishnamurthy, Dudík 2020.
    """
    if np.isinf(lam):
        return doubly_robust(target_reward, residual, weight)
    below = weight**2 + lam
    shrunk = np.divide(lam * weight, below, out=np.zeros_like(weight), where=below > 0)
    return doubly_robust(target_reward, residual, shrunk)


def _unnormalised(*, plain: Floats, weighted: Floats) -> Parts:
    return Parts(plain, weighted, np.ones_like(weighted))
