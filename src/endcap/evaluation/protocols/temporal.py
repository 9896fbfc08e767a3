"""One cut in time for everybody: the headline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from endcap.evaluation.protocols.parts import Terms, Window, nothing, with_facts
from endcap.evaluation.split import Split, split_by_time, warm_items
from endcap.schema.dataset import Dataset


def temporal(data: Dataset, terms: Terms) -> Split:
    """Return the past to learn from, and what each user took in the window behind it.

    Without refit the model is as old as the validation window is long, and is told what came since
    as history: what a shop sees that trains seldom.
    """
    window = Window.of(data, terms.choices)
    split = cut_by_window(data, window, terms)
    return learnt_earlier(split, data, window, terms)


def cut_by_window(data: Dataset, window: Window, terms: Terms) -> Split:
    """Return the cut in time where all that is told is learnt from."""
    split = split_by_time(
        data,
        cut_us=window.cut_us,
        end_us=window.end_us,
        prepare=terms.prepare,
        target_kinds=terms.target_kinds,
    )
    return with_facts(split, {"on": terms.choices.on, "refit": terms.choices.refit})


def learnt_earlier(split: Split, data: Dataset, window: Window, terms: Terms) -> Split:
    """Return the split with what is learnt from ended at `learn_us`, the rest told as history.

    Raises:
        DataError: nothing lies before that.
    """
    if window.learn_us == window.cut_us:
        return split
    early = data.between(None, window.learn_us)
    train = terms.prepared(early)
    if len(train.interactions) == 0:
        raise nothing("before the validation window, to learn from", protocol=split.protocol)
    is_cold = ~warm_items(train)
    targets = {
        view: replace(some, is_cold=is_cold[some.items]) for view, some in split.targets.items()
    }
    asked = targets["all"]
    counts = replace(
        split.counts,
        n_cold_targets=int(asked.is_cold.sum()),
        n_cold_items=len(np.unique(asked.items[asked.is_cold])),
        n_train_unused=len(early.interactions) - len(train.interactions),
    )
    n_history_only = split.counts.n_train - len(early.interactions)
    later = replace(split, train=train, targets=targets, counts=counts, history=split.train)
    return with_facts(later, {"n_history_only": n_history_only})
