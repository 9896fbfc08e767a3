"""Train the two towers on prepared data, anew or on from where they were.

The result is what `TwoTower` keeps; what is served of it is the model's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.features.tower_context import N_CONTEXT
from endcap.models.learning.baskets import Baskets
from endcap.models.learning.checkpoint import Checkpoint, training_key
from endcap.models.learning.devices import pick_device
from endcap.models.learning.loop import LoopConfig, Trained, train_network
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.inputs import TowerInputs, build_inputs
from endcap.models.two_tower.network import ItemTower, UserTower
from endcap.models.two_tower.training import TowerLearner, hold_out
from endcap.schema.dataset import Dataset

DEFAULT_POPULARITY_WEIGHT = 1.0
UPDATE_RATE = 0.3
"""Learning rate of an update, of that of the fit."""

_INPUTS = tuple(field.name for field in fields(TowerInputs))


@dataclass(frozen=True, slots=True)
class FittedTowers:
    """Two trained networks, on the CPU, and what came of the training.

    vectors: of the items, of length one, float32, shape (n_items, d).
    popularity_weight: of the log-popularity among the logits.
    """

    items: ItemTower
    users: UserTower
    inputs: TowerInputs
    trained: Trained
    vectors: NDArray[np.float32]
    popularity_weight: float


@dataclass(frozen=True, slots=True)
class TowerData:
    """What a training learns from.

    wanted: prepared, and without what was refused since.
    baskets: of it.
    text: unit vectors of the items' texts, float32, shape (n_items, text_size); None without.
    popularity: `inputs.log_popularity`, shape (n_items,).
    """

    wanted: Dataset
    baskets: Baskets
    text: NDArray[np.float32] | None
    popularity: NDArray[np.float32]

    def inputs(self, config: TwoTowerConfig, *, before: TowerInputs | None = None) -> TowerInputs:
        """Return the inputs of the item tower."""
        weight = self.baskets.target_weight(self.wanted.n_items)
        return build_inputs(self.wanted, config, target_weight=weight, before=before)


def fit_towers(
    data: TowerData, config: TwoTowerConfig, *, seed: int, folder: Path | None = None
) -> FittedTowers:
    """Return towers trained anew, but for some users' last baskets, which say when to stop.

    Args:
        data: what is learnt from.
        config: of the model.
        seed: of all that is random; the caller has given it to torch.
        folder: where the state of the training is kept; None keeps nothing.
    """
    inputs = data.inputs(config)
    items, users = new_towers(inputs, config, text=data.text)
    held_out = hold_out(data.baskets, config, rng=np.random.default_rng(seed))
    learnt = np.setdiff1d(np.arange(len(data.baskets)), held_out)
    learner = _learner(items, users, inputs, data, config, learnt=learnt, held_out=held_out)
    loop = config.loop(learner.n_epoch_steps)
    checkpoint = None if folder is None else Checkpoint(folder, _key(data, config, seed))
    return _train(learner, loop, data, config, seed=seed, checkpoint=checkpoint)


def update_towers(
    before: FittedTowers, data: TowerData, config: TwoTowerConfig, *, since_us: int, seed: int
) -> FittedTowers:
    """Return copies of the towers, trained on with the baskets since then and as many older ones.

    Items that have no embedding yet and now would get one, begin as any item does.
    """
    inputs = data.inputs(config, before=before.inputs)
    items, users = new_towers(inputs, config, text=data.text)
    users.load_state_dict(before.users.state_dict())
    _take_over(items, before.items)
    rng = np.random.default_rng(seed)
    is_new = data.baskets.ts[data.baskets.start] >= since_us
    new, old = np.flatnonzero(is_new), np.flatnonzero(~is_new)
    replayed = rng.choice(old, min(len(new), len(old)), replace=False)
    learnt = np.sort(np.concatenate([new, replayed]))
    learner = _learner(items, users, inputs, data, config, learnt=learnt, held_out=new[:0])
    loop = config.loop(learner.n_epoch_steps).model_copy(
        update={
            "n_epochs": config.update_epochs,
            "learning_rate": config.learning_rate * UPDATE_RATE,
            "schedule": "constant",
        }
    )
    return _train(learner, loop, data, config, seed=seed, weight=before.popularity_weight)


def new_towers(
    inputs: TowerInputs, config: TwoTowerConfig, *, text: NDArray[np.float32] | None
) -> tuple[ItemTower, UserTower]:
    """Return untrained towers of the right sizes."""
    size = config.embedding_size - 2
    items = ItemTower(
        n_ids=int(inputs.ids.max(initial=0)),
        n_codes=inputs.n_codes(),
        embedding_size=size,
        text_size=0 if text is None else text.shape[1],
        id_dropout=config.id_dropout,
    )
    return items, user_tower(config)


def user_tower(config: TwoTowerConfig) -> UserTower:
    """Return an untrained user tower."""
    return UserTower(
        embedding_size=config.embedding_size - 2,
        hidden=config.hidden,
        n_means=config.n_means,
        n_context=N_CONTEXT if config.context else 0,
        dropout=config.dropout,
        pooled_dropout=config.pooled_dropout if config.n_means else 0.0,
    )


def towers_state(towers: FittedTowers) -> tuple[dict[str, Tensor], dict[str, NDArray[Any]]]:
    """Return tensors and arrays from which `saved_towers` makes the same towers."""
    tensors = {f"items.{name}": value for name, value in towers.items.state_dict().items()}
    tensors |= {f"users.{name}": value for name, value in towers.users.state_dict().items()}
    arrays = {f"inputs.{name}": getattr(towers.inputs, name) for name in _INPUTS}
    arrays |= {
        "vectors": towers.vectors,
        "losses": np.array(towers.trained.losses, dtype=np.float64),
        "qualities": np.array(towers.trained.qualities, dtype=np.float64),
        "best_epoch": np.array(towers.trained.best_epoch),
        "popularity_weight": np.array(towers.popularity_weight),
    }
    return tensors, arrays


def saved_towers(
    tensors: dict[str, Tensor], arrays: Mapping[str, NDArray[Any]], config: TwoTowerConfig
) -> FittedTowers:
    """Return the towers of which `towers_state` gave tensors and arrays."""
    inputs = TowerInputs(**{name: arrays[f"inputs.{name}"] for name in _INPUTS})
    of_items, users = _part(tensors, "items."), user_tower(config)
    text = of_items.get("text.weight")
    items = ItemTower(
        n_ids=len(of_items["own.weight"]) - 1,
        n_codes=[len(of_items[f"attributes.{n}.weight"]) for n in range(len(inputs.columns))],
        embedding_size=config.embedding_size - 2,
        text_size=0 if text is None else text.shape[1],
        id_dropout=config.id_dropout,
    )
    items.load_state_dict(of_items)
    users.load_state_dict(_part(tensors, "users."))
    return FittedTowers(
        items=items.eval(),
        users=users.eval(),
        inputs=inputs,
        trained=Trained(
            arrays["losses"].tolist(), arrays["qualities"].tolist(), int(arrays["best_epoch"])
        ),
        vectors=arrays["vectors"],
        popularity_weight=float(arrays["popularity_weight"]),
    )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _learner(
    items: ItemTower,
    users: UserTower,
    inputs: TowerInputs,
    data: TowerData,
    config: TwoTowerConfig,
    *,
    learnt: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> TowerLearner:
    return TowerLearner(
        items,
        users,
        inputs,
        data.baskets,
        config,
        categories=data.wanted.items.category,
        learnt=learnt,
        held_out=held_out,
        popularity=data.popularity,
        text=data.text,
        device=pick_device(config.device),
    )


def _train(
    learner: TowerLearner,
    loop: LoopConfig,
    data: TowerData,
    config: TwoTowerConfig,
    *,
    seed: int,
    checkpoint: Checkpoint | None = None,
    weight: float | None = None,
) -> FittedTowers:
    trained = train_network(
        learner,
        learner,
        config=loop,
        seed=seed,
        title="two_tower",
        unit="baskets",
        checkpoint=checkpoint,
        device=pick_device(config.device),
    )
    if weight is None:
        weight = _popularity_weight(learner, config)
    vectors = learner.item_vectors()
    return FittedTowers(
        items=learner.item_tower.cpu(),
        users=learner.user_tower.cpu(),
        inputs=learner.inputs,
        trained=trained,
        vectors=vectors,
        popularity_weight=weight,
    )


def _popularity_weight(learner: TowerLearner, config: TwoTowerConfig) -> float:
    """Return the weight of the settings, or the one that foresees best what was held out."""
    if config.popularity_weight is not None:
        return config.popularity_weight
    with torch.no_grad():
        qualities = learner.qualities()
    if not qualities:
        return DEFAULT_POPULARITY_WEIGHT
    return max(qualities, key=lambda weight: qualities[weight])


def _take_over(items: ItemTower, before: ItemTower) -> None:
    """Give an item tower what a smaller one had learnt."""
    tables = zip(items.modules(), before.modules(), strict=True)
    with torch.no_grad():
        for table, old in tables:
            if isinstance(table, nn.Embedding | nn.Linear) and isinstance(old, type(table)):
                table.weight[: len(old.weight)] = old.weight


def _key(data: TowerData, config: TwoTowerConfig, seed: int) -> str:
    told, items = data.wanted.interactions, data.wanted.items
    arrays: list[NDArray[Any]] = [told.user_idx, told.item_idx, told.ts, told.weights, told.price]
    arrays += [items.department, items.category, items.brand]
    if data.text is not None:
        arrays.append(data.text)
    return training_key(config.model_dump_json(), seed, *arrays)
