"""Predicted rewards of every action in every round, each from rounds that the model did not see."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from endcap.evaluation.off_policy.feedback import Flags, Floats, Ints, LoggedFeedback
from endcap.schema.errors import DataError

N_FOLDS = 3
INVERSE_PENALTY = 100.0
_MAX_ITERATIONS = 10_000


def random_folds(
    feedback: LoggedFeedback, *, n_folds: int = N_FOLDS, rng: np.random.Generator
) -> Ints:
    """Return a fold for each round, 0 .. n_folds - 1; rounds of one group share theirs.

    Raises:
        DataError: there are fewer groups than folds.
    """
    groups = feedback.groups
    n_groups = int(groups.max()) + 1
    if n_groups < n_folds:
        raise DataError(f"{n_groups} groups of rounds cannot make {n_folds} folds")
    return (rng.permutation(n_groups) % n_folds)[groups]


def predicted_rewards(
    feedback: LoggedFeedback, *, folds: Ints, inverse_penalty: float = INVERSE_PENALTY
) -> Floats:
    """Return the predicted reward of each action at each round's position, cross-fitted.

    A regression on the context and the action, one for each position and fold, fitted on the other
    folds: logistic where rewards are 0 and 1, else linear. Where those rounds hold one reward only,
    or none, the prediction is the mean of what there is.

    Args:
        feedback: what was logged.
        folds: of each round; see `random_folds`.
        inverse_penalty: the inverse of the strength of the squared penalty.

    Returns:
        float64, shape (n_rounds, n_actions).

    Cost: that of n_folds * n_positions regressions on n_features + n_actions sparse columns.

    Source: cross-fitting as in Chernozhukov et al. 2018; model and penalty as in Saito et al. 2021.
    """
    predicted = np.empty((len(feedback), feedback.n_actions))
    with threadpool_limits(1, "blas"):  # so small that threads wait for each other ten times longer
        for asked, known in _parts(feedback, folds):
            predicted[asked] = _predict(feedback, asked, known, inverse_penalty=inverse_penalty)
    return predicted


def _parts(feedback: LoggedFeedback, folds: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield rounds to predict with the rounds to learn from, by fold and position."""
    if len(np.unique(folds)) < 2:
        raise DataError("rewards are to be predicted from other folds, and there is only one")
    for fold in np.unique(folds):
        is_asked: Flags = folds == fold
        for position in range(feedback.n_positions):
            is_here = feedback.positions == position
            asked, known = np.flatnonzero(is_asked & is_here), np.flatnonzero(~is_asked & is_here)
            if len(asked):
                yield asked, known if len(known) else np.flatnonzero(~is_asked)


def _predict(
    feedback: LoggedFeedback, asked: Ints, known: Ints, *, inverse_penalty: float
) -> Floats:
    reward = feedback.reward[known]
    if np.ptp(reward) == 0:
        return np.full((len(asked), feedback.n_actions), reward[0], dtype=np.float64)
    is_binary = bool(np.isin(feedback.reward, (0, 1)).all())
    if is_binary:
        model = LogisticRegression(C=inverse_penalty, max_iter=_MAX_ITERATIONS)
    else:
        model = Ridge(alpha=1.0 / inverse_penalty)
    model.fit(_columns(feedback, known), reward)
    coefficients = np.ravel(model.coef_)
    n_features = len(coefficients) - feedback.n_actions
    linear = np.full(len(asked), float(np.ravel(model.intercept_)[0]))
    if feedback.context is not None:
        linear += feedback.context[asked] @ coefficients[:n_features]
    scores: Floats = linear[:, None] + coefficients[n_features:]
    return np.asarray(expit(scores)) if is_binary else scores


def _columns(feedback: LoggedFeedback, rounds: Ints) -> sparse.csr_array:
    n = len(rounds)
    shape = (n, feedback.n_actions)
    which = (np.arange(n, dtype=np.int32), feedback.action[rounds].astype(np.int32))
    shown = sparse.csr_array((np.ones(n), which), shape=shape)
    if feedback.context is None:
        return shown
    context = sparse.csr_array(feedback.context[rounds])
    return sparse.csr_array(sparse.hstack([context, shown]))
