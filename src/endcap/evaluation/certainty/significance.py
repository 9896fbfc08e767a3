"""Whether a paired difference is more than chance, given how much was compared.

Intervals are in `bootstrap.py`, sizes in `effect.py`; what could be shown at all in `power.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.certainty.bootstrap import Difference, Resampled
from endcap.evaluation.certainty.draws import Columns, calm_product
from endcap.evaluation.certainty.seed_test import seed_p_values

N_FLIPS = 10_000
"""How often a test draws signs: the smallest p-value is 1 / 10,001, enough for 500 comparisons."""

_BLOCK_CELLS = 1 << 20  # signs at once: 8 MB
_MOST_FLIPS = 64

PValues: TypeAlias = NDArray[np.float64]
"""One for each column; NaN where nothing was compared."""


def sign_flip_p_values(
    differences: Columns, *, n_flips: int = N_FLIPS, rng: np.random.Generator
) -> PValues:
    """Return the two-sided p-value of each column: that its mean is 0, shape (n_columns,).

    If two models are alike, either could have been called the first, user by user: so the signs
    of the differences are drawn at random, and p is the share of drawn means that are at least as
    far from 0 as the real one, the real one counted among them. Of the tests in use it supposes
    least and agrees with the t-test and the bootstrap on lists (Smucker et al. 2007; Urbano et al.
    2019), and it stays right where few users differ at all, as with hits, where the t-test claims
    too much. Drawn signs leave the sum of squares as it is, so it orders draws as a studentised
    test does and holds for large samples also where differences are skewed (Janssen 1999).

    Args:
        differences: one row a user, shape (n_users, n_columns); NaN where it is not defined.
        n_flips: draws; the smallest p-value is 1 / (n_flips + 1).
        rng: where the signs are drawn from: the same for all columns, whichever these are.

    Cost: n_flips signs for every user, and a matrix product of them with the differences; 21
    columns of 22,363 users take about a second.

    Source: Fisher 1935; the real one counted: Phipson, Smyth 2010.
    """
    is_any = ~np.isnan(differences).all(axis=0)
    filled = np.nan_to_num(differences)
    # Sums of the same terms in another order may differ in their last digits.
    bar = np.abs(filled.sum(axis=0)) - 1e-9 * np.abs(filled).sum(axis=0)
    n_as_far = np.zeros(filled.shape[1], dtype=np.int64)
    block = min(max(1, _BLOCK_CELLS // max(len(filled), 1)), _MOST_FLIPS)
    for start in range(0, n_flips, block):
        n_rows = min(block, n_flips - start)
        n_as_far += (np.abs(_flipped_sums(filled, n_rows, rng)) >= bar).sum(axis=0)
    return np.where(is_any, (1.0 + n_as_far) / (1.0 + n_flips), np.nan)


def holm(p_values: PValues) -> PValues:
    """Return p-values adjusted for being one family, of the same shape; NaN stays, and counts not.

    To call different what is at most 5 % after it keeps the chance of any false claim in the whole
    family at 5 %, whatever the dependence between the comparisons.

    Source: Holm 1979.
    """
    adjusted = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p_values.ravel()))
    order = known[np.argsort(p_values.ravel()[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    raised = np.maximum.accumulate(p_values.ravel()[order] * factors)
    adjusted.ravel()[order] = np.minimum(raised, 1.0)
    return adjusted


def differences_from(
    rival: str,
    resampled: Mapping[str, Resampled],
    *,
    columns: Sequence[int] | None = None,
    n_flips: int = N_FLIPS,
    rng: np.random.Generator,
) -> dict[str, list[Difference]]:
    """Return what each other model differs by from one, every column, tested as one family.

    The family is every model here times the columns that are tested; `p_adjusted` is Holm's over
    all of it. The other columns have intervals alone, which are for no family.

    Args:
        rival: the one of `resampled` that all others are compared with.
        resampled: by model, of one `resample` or `resample_seeds` call.
        columns: which columns are tested; all when None.
        n_flips: see `sign_flip_p_values`.
        rng: where the tests draw from.
    """
    names = [name for name in resampled if name != rival]
    found = {name: resampled[name].minus(resampled[rival]) for name in names}
    if not names:
        return found
    tested = list(range(len(found[names[0]])) if columns is None else columns)
    p_values = _p_values(
        [(resampled[name], resampled[rival]) for name in names], tested, n_flips=n_flips, rng=rng
    )
    adjusted = holm(p_values)
    for row, name in enumerate(names):
        for place, column in enumerate(tested):
            found[name][column] = replace(
                found[name][column],
                p_value=float(p_values[row, place]),
                p_adjusted=float(adjusted[row, place]),
            )
    return found


def _p_values(
    pairs: Sequence[tuple[Resampled, Resampled]],
    columns: Sequence[int],
    *,
    n_flips: int,
    rng: np.random.Generator,
) -> PValues:
    """Return p-values of first minus second, shape (n_pairs, n_columns)."""
    differences = [(first.of_users - second.of_users)[:, columns] for first, second in pairs]
    flat = sign_flip_p_values(np.hstack(differences), n_flips=n_flips, rng=rng)
    p_values = flat.reshape(len(pairs), len(columns))
    for row, (first, second) in enumerate(pairs):
        if max(first.n_seeds, second.n_seeds) > 1:  # more chance can only make it less sure
            p_values[row] = np.maximum(p_values[row], seed_p_values(first, second)[columns])
    return p_values


def _flipped_sums(values: Columns, n_flips: int, rng: np.random.Generator) -> Columns:
    n_bytes = n_flips * -(-len(values) // 8)
    bits = np.unpackbits(np.frombuffer(rng.bytes(n_bytes), dtype=np.uint8)).reshape(n_flips, -1)
    sums = calm_product(bits[:, : len(values)].astype(np.float64), 2.0 * values)
    return np.asarray(sums - values.sum(axis=0))
