"""Find better settings of a model on the validation part, never on the test.

A search is kept on disk under a name that says what it is of, so that the same command goes on
with it. Its first trial is what is set now: the best found is never worse than that.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from endcap.models import registry
from endcap.models.learning.watching import watched_by
from endcap.models.search_spaces import OneOf, Range, Space, Whole, contains
from endcap.schema.protocols import Resumes
from endcap.telemetry import console, track
from endcap.training.run import model_rng
from endcap.training.tracking import Entry, flat
from endcap.training.trial import SAMPLE_SHARE, Bench

DATABASE = "studies.db"
AS_SET, SECONDS = "as_set", "seconds"
DIGITS = 4
"""Significant digits of a number that is tried, so that what is written is what was tried."""

N_BEFORE_PRUNING, N_EPOCHS_BEFORE_PRUNING = 5, 2

Params: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search ends.

    n_trials: in all, those of earlier calls included; failed ones do not count.
    minutes: of this call, None for no limit; the trial that runs then is the last one.
    n_seeds: fits of each setting, each with another seed; their mean counts.
    """

    n_trials: int = 30
    minutes: float | None = None
    n_seeds: int = 1


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial: its settings besides those that were set before, and what they came to.

    value: mean NDCG@k; None where it was given up early, or failed.
    """

    number: int
    settings: Params
    value: float | None
    state: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search has found so far.

    study: its name.
    trials: all of them, in their order.
    best: the best finished one.
    as_set: the one of the settings in force.
    is_interrupted: whether Ctrl-C ended it.
    """

    model: str
    study: str
    trials: tuple[Tried, ...]
    best: Tried | None
    as_set: Tried | None
    is_interrupted: bool = False

    @property
    def is_better(self) -> bool:
        """Whether anything was found that is better than what is set."""
        return self.best is not None and self.best != self.as_set


class Search:
    """The search for one model's settings.

    Args:
        model: its name.
        space: what is searched.
        bench: what settings are tried on.
        params: settings in force that differ from the defaults.
        folder: where the search is kept, `var/tuning`.
        told: what the search is of besides, as JSON values: another search has another name.
        seed: of fits and of what is tried.
        entry: in the book of runs.
    """

    def __init__(
        self,
        model: str,
        *,
        space: Space,
        bench: Bench,
        params: Params,
        folder: Path,
        told: Params,
        seed: int,
        entry: Entry,
    ) -> None:
        self.model, self.space, self.bench, self.params = model, space, bench, params
        self.seed, self.entry = seed, entry
        unfitted = registry.create(model, params)
        self.in_force = registry.params(unfitted)
        self.has_epochs = isinstance(unfitted, Resumes)
        rng = model_rng(seed, "tuning")
        self.sample = None if self.has_epochs else bench.sampled(SAMPLE_SHARE, rng=rng)
        self.name = _study_name(model, told, params, space, seed)
        self.folder = folder

    def run(self, budget: Budget) -> Tuned:
        """Try settings until the budget is used up, and return what was found in all calls."""
        self.folder.mkdir(parents=True, exist_ok=True)
        is_interrupted = False
        with _quiet():
            study = self._study()
            n_done = sum(trial.state in _COUNTED for trial in study.trials)
            if n_done:
                console.print(f"  goes on after {n_done} trials of {self.name}")
            self._begin_with_what_is_set(study)
            n_left = max(budget.n_trials - n_done, 0)
            try:
                with track(f"tune {self.model}", n_left, unit="trials") as task:
                    study.optimize(
                        lambda trial: self._try(trial, budget),
                        n_trials=n_left,
                        timeout=None if budget.minutes is None else 60 * budget.minutes,
                        callbacks=[lambda study, trial: task.advance(note=_note(study, trial))],
                    )
            except KeyboardInterrupt:
                is_interrupted = True
            return self._tuned(study, is_interrupted=is_interrupted)

    def settings(self, chosen: Params) -> dict[str, Any]:
        """Return the settings of a trial that differ from the defaults, nested ones whole.

        Args:
            chosen: by the name in the space.
        """
        merged = dict(self.params)
        for name, value in chosen.items():
            group, dot, setting = name.partition(".")
            if dot:
                merged[group] = {**self.in_force[group], **merged.get(group, {}), setting: value}
            else:
                merged[group] = value
        return merged

    def _study(self) -> optuna.Study:
        storage = optuna.storages.RDBStorage(f"sqlite:///{(self.folder / DATABASE).resolve()}")
        study = optuna.create_study(
            storage=storage,
            study_name=self.name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=N_BEFORE_PRUNING,
                n_warmup_steps=N_EPOCHS_BEFORE_PRUNING if self.has_epochs else 0,
            ),
        )
        # A search that goes on must not draw again what it drew first.
        study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(study.trials))
        return study

    def _begin_with_what_is_set(self, study: optuna.Study) -> None:
        known = (*_COUNTED, TrialState.WAITING)
        if any(trial.user_attrs.get(AS_SET) and trial.state in known for trial in study.trials):
            return
        within = flat(self.in_force)
        told = {
            name: within[name]
            for name, space in self.space.items()
            if contains(space, within[name])
        }
        study.enqueue_trial(told, user_attrs={AS_SET: True})

    def _try(self, trial: Trial, budget: Budget) -> float:
        started_s = time.perf_counter()
        is_as_set = bool(trial.user_attrs.get(AS_SET))
        chosen = self._chosen(trial, is_as_set=is_as_set)
        params = dict(self.params) if is_as_set else self.settings(chosen)
        name = f"trial {trial.number}" + (", as set" if is_as_set else "")
        value = None
        with self.entry.part(name, kind="trial") as part:
            part.params(flat(registry.params(registry.create(self.model, params))))
            try:
                value = self._value(trial, params, budget, gives_up=not is_as_set)
                part.metrics({"ndcg": value})
            except optuna.TrialPruned:
                part.tag("given_up", "early")
            finally:
                seconds = time.perf_counter() - started_s
                trial.set_user_attr(SECONDS, seconds)
                part.metrics({"machine/trial_s": seconds})
        if value is None:
            raise optuna.TrialPruned
        return value

    def _chosen(self, trial: Trial, *, is_as_set: bool) -> dict[str, Any]:
        names = [
            name
            for name, space in self.space.items()
            # What is set may lie outside of the space; then it is tried as it is.
            if not is_as_set or contains(space, flat(self.in_force)[name])
        ]
        return {name: _suggested(trial, name, self.space[name]) for name in names}

    def _value(self, trial: Trial, params: Params, budget: Budget, *, gives_up: bool) -> float:
        def look(step: int, quality: float) -> None:
            trial.report(quality, step)
            if gives_up and trial.should_prune():
                raise optuna.TrialPruned

        if self.sample is not None:
            look(0, self.sample.quality(self.model, params, seed=self.seed))
        values = []
        for number in range(budget.n_seeds):
            watch = look if self.has_epochs and number == 0 else _look_away
            with watched_by(watch):
                quality = self.bench.quality(self.model, params, seed=self.seed + number)
            values.append(quality)
        return float(np.mean(values))

    def _tuned(self, study: optuna.Study, *, is_interrupted: bool) -> Tuned:
        tried = [self._tried(trial) for trial in study.trials]
        ended = [one for one in tried if one.value is not None]
        best = max(ended, key=lambda one: (one.value, -one.number), default=None)
        as_set = [
            one
            for one, trial in zip(tried, study.trials, strict=True)
            if trial.user_attrs.get(AS_SET) and one.value is not None
        ]
        return Tuned(
            self.model,
            self.name,
            tuple(tried),
            best,
            as_set[0] if as_set else None,
            is_interrupted,
        )

    def _tried(self, trial: FrozenTrial) -> Tried:
        is_as_set = bool(trial.user_attrs.get(AS_SET))
        chosen = {} if is_as_set else _rounded(trial.params, self.space)
        return Tried(
            number=trial.number,
            settings=chosen,
            value=trial.value if trial.state is TrialState.COMPLETE else None,
            state=_STATES.get(trial.state, "unfinished"),
            seconds=float(trial.user_attrs.get(SECONDS, 0.0)),
        )


_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
_STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "given up early",
    TrialState.FAIL: "failed",
}


def _look_away(_epoch: int, _quality: float) -> None:
    """See nothing: only the first of several fits is compared epoch by epoch."""


def _suggested(trial: Trial, name: str, space: Range) -> Any:
    if isinstance(space, OneOf):
        return trial.suggest_categorical(name, space.options)
    if isinstance(space, Whole):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return _round(trial.suggest_float(name, space.low, space.high, log=space.log))


def _rounded(params: Params, space: Space) -> dict[str, Any]:
    return {name: _round(value) for name, value in params.items() if name in space}


def _round(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _study_name(model: str, told: Params, params: Params, space: Space, seed: int) -> str:
    parts = [dict(told), dict(params), {name: repr(part) for name, part in space.items()}, seed]
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"{model}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _note(study: optuna.Study, trial: FrozenTrial) -> str:
    """Return what the progress bar says after a trial."""
    ended: Sequence[FrozenTrial] = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = max((one.value for one in ended if one.value is not None), default=float("nan"))
    now = "given up" if trial.value is None else f"{trial.value:.4f}"
    return f"NDCG {now}, best {best:.4f}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the library says of itself from the terminal."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
