"""Logged bandit feedback whose truth is known, for measuring off-policy estimators.

After the synthetic data of the Open Bandit Pipeline (Saito, Aihara, Matsutani, Narita 2021), as its
version 0.5.1 makes them: the one its published table is from. Later versions centre the
logits otherwise, which gives other errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from endcap.evaluation.off_policy.feedback import Floats, LoggedFeedback
from endcap.schema.errors import DataError

Draws: TypeAlias = np.random.Generator | np.random.RandomState
"""A `RandomState` gives the very numbers of a published experiment, a `Generator` new ones."""


@dataclass(frozen=True, slots=True)
class BanditWorld:
    """Actions whose expected reward is logistic in a context, an action and both together.

    intercepts: of the actions, shape (n_actions,).
    slopes: how each feature of the context acts on each action, shape (n_features, n_actions).
    beta: inverse temperature of the logging policy: large and positive shows the best action,
        negative the worst, 0 any.
    """

    intercepts: Floats
    slopes: Floats
    beta: float

    @property
    def n_actions(self) -> int:
        """How many actions there are."""
        return len(self.intercepts)

    def expected_rewards(self, context: Floats) -> Floats:
        """Return the chance of a reward, shape (n_rounds, n_actions).

        Logits are centred and scaled over all the rounds given, to mean 0 and variance 1.
        """
        logits = context @ self.slopes + self.intercepts
        return np.asarray(expit((logits - logits.mean()) / logits.std()))

    def logging_chances(self, expected: Floats) -> Floats:
        """Return the logging policy's chance of each action, softmax of beta times reward."""
        return np.asarray(softmax(self.beta * expected, axis=1))


@dataclass(frozen=True, slots=True)
class SimulatedLog:
    """A log with the truth behind it.

    context: of each round, shape (n_rounds, n_features); that of the feedback.
    expected: reward of each action in each round, shape (n_rounds, n_actions).
    logging_chances: of each action in each round, the same shape.
    """

    feedback: LoggedFeedback
    context: Floats
    expected: Floats
    logging_chances: Floats

    def value_of(self, target_chances: Floats) -> float:
        """Return what a target earns a round in truth, in the contexts of this log."""
        return float((target_chances * self.expected).sum(axis=1).mean())


def bandit_world(*, n_actions: int, n_features: int, beta: float, rng: Draws) -> BanditWorld:
    """Return a world whose coefficients are uniform from -1 to 1.

    The logit of an action is made of a part of the context alone, one of the action alone, and one
    of each pair, constants included; here they are added up by action.
    """
    of_context = rng.uniform(-1, 1, size=n_features + 1)
    of_action = rng.uniform(-1, 1, size=n_actions + 1)
    of_both = rng.uniform(-1, 1, size=(n_features + 1, n_actions + 1))
    both = of_both[:, :1] + of_both[:, 1:]
    alone = of_context[0] + of_action[0] + of_action[1:]
    return BanditWorld(
        intercepts=alone + both[0], slopes=of_context[1:, None] + both[1:], beta=beta
    )


def simulated_log(
    world: BanditWorld, n_rounds: int, *, rng: Draws, action_rng: Draws | None = None
) -> SimulatedLog:
    """Return rounds that the world's logging policy might have logged.

    Args:
        world: what earns how much.
        n_rounds: how many.
        rng: where contexts, rewards and, unless `action_rng` is given, actions draw from.
        action_rng: where actions draw from.
    """
    context = rng.normal(size=(n_rounds, len(world.slopes)))
    expected = world.expected_rewards(context)
    logging = world.logging_chances(expected)
    drawn = (action_rng or rng).uniform(size=n_rounds)
    action = (logging.cumsum(axis=1) > drawn[:, None]).argmax(axis=1)
    rounds = np.arange(n_rounds)
    reward = rng.binomial(n=1, p=expected[rounds, action]).astype(np.float64)
    feedback = LoggedFeedback(
        action=action,
        reward=reward,
        propensity=logging[rounds, action],
        n_actions=world.n_actions,
        context=context,
    )
    return SimulatedLog(feedback, context, expected, logging)


def learnt_policy(training: LoggedFeedback, contexts: Floats, *, penalty: float = 0.01) -> Floats:
    """Return the chances of a policy learnt from a log, shape (n_contexts, n_actions).

    Which action to show is learnt as a class, each round weighted by reward / propensity; the
    chances are the softmax of the class probabilities, and so not far from equal.

    Args:
        training: a log with contexts, of rewards that are not negative.
        contexts: shape (n_contexts, n_features).
        penalty: strength of the squared penalty.

    Source: the reduction of Dudík, Langford, Li 2011 to classification.
    """
    if training.context is None:
        raise DataError("a policy is learnt from contexts, and the log has none")
    model = LogisticRegression(C=1.0 / penalty, max_iter=10_000)
    weight = training.reward / training.propensity
    with threadpool_limits(1, "blas"):  # so small that threads wait for each other ten times longer
        model.fit(training.context, training.action, sample_weight=weight)
    scores = np.zeros((len(contexts), training.n_actions))
    scores[:, model.classes_] = model.predict_proba(contexts)
    return np.asarray(softmax(scores, axis=1))
