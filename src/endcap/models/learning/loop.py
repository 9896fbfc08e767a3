"""The training loop of all our networks: schedule, clipping, early stopping, checkpoints, progress.

What an example is and what it costs is the affair of each model, as a `Learner`. Where several
processes train together, each takes a part of every batch; see `share`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, distributed, nn

from endcap.models.learning.checkpoint import Checkpoint
from endcap.models.learning.watching import show_epoch
from endcap.telemetry import console, track

NOTE_EVERY = 20
"""Batches whose mean loss is shown."""

Answer = TypeVar("Answer")


class LoopConfig(BaseModel):
    """Settings of `train_network`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_epochs: int = Field(20, ge=0, description="How often each example is learnt from, at most.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak of the schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Of AdamW, on matrices alone.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="How the learning rate falls after the warm-up, to 0 or not at all."
    )
    warmup_steps: int = Field(300, ge=0, description="Batches in which the rate rises to its peak.")
    clip_norm: float = Field(5.0, gt=0, description="Longer gradients are shortened to this.")
    averaging: float = Field(
        0.0, ge=0, lt=1, description="Weights are those of a running mean; 0 takes the last ones."
    )
    patience: int = Field(
        0, ge=0, description="Epochs without improvement before it stops; 0 runs them all."
    )


class Learner(Protocol):
    """What the loop asks of a model."""

    def batches(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """Return the batches of one epoch, each as numbers of examples."""
        ...

    def loss(self, batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return the mean loss of the examples, a scalar to be differentiated."""
        ...

    def quality(self) -> float | None:
        """Return how good the network is on what it is not trained on; None where that is unknown.

        Larger is better. Called with the network in evaluation mode, without gradients.
        """
        ...


@dataclass(slots=True)
class Trained:
    """How a training went.

    losses: the mean loss of each epoch.
    qualities: what `Learner.quality` said after each epoch; empty where it said nothing.
    best_epoch: whose weights the network has at the end, from 1; 0 where it was not trained.
    """

    losses: list[float] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)
    best_epoch: int = 0


def train_network(
    network: nn.Module,
    learner: Learner,
    *,
    config: LoopConfig,
    seed: int,
    title: str,
    unit: str = "examples",
    checkpoint: Checkpoint | None = None,
    device: str = "cpu",
) -> Trained:
    """Train the network in place, leave it in evaluation mode, and return how it went.

    It ends with the weights of the epoch of the best quality, or the last ones where quality is
    not known. With a checkpoint the state is kept after each epoch, and a training that was
    interrupted goes on from there to the same weights as one that was not.

    Args:
        network: on the device already.
        learner: gives batches and losses; its random choices follow from the `rng` it is given.
        config: of the loop.
        seed: all that is random in an epoch follows from it and from the number of the epoch.
        title: what the progress bar is called.
        unit: what an example is called, in the plural.
        checkpoint: where the state is kept.
        device: cpu, or cuda, where the network computes in bfloat16 what is safe to.
    """
    training = _Training(network, learner, config, seed, device)
    training.join()
    if checkpoint is not None and (found := _of_first(checkpoint.load)) is not None:
        training.restore(*found)
        console.print(f"  {title}: goes on after epoch {training.n_done}")
    rank, _ = share()
    n_examples = sum(len(batch) for batch in learner.batches(_stream(seed, 0)))
    with track(title, max(config.n_epochs - training.n_done, 0) * n_examples, unit=unit) as task:
        while training.n_done < config.n_epochs and not training.is_stale():
            for n_learnt, note in training.epoch():
                task.advance(n_learnt, note=note)
            if checkpoint is not None and rank == 0:
                checkpoint.save(*training.state())
    training.finish()
    return training.done


class _Training:
    """The state of one training."""

    def __init__(
        self, network: nn.Module, learner: Learner, config: LoopConfig, seed: int, device: str
    ) -> None:
        self.network, self.learner, self.config, self.seed = network, learner, config, seed
        self.done = Trained()
        self.parameters = dict(network.named_parameters())
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(group), "weight_decay": decay}
                for group, decay in self._groups()
                if group
            ],
            lr=config.learning_rate,
            fused=True,
        )
        self.n_steps = 0
        self.n_epoch_steps = 0
        self.mean = {name: value.detach().clone() for name, value in self._averaged()}
        self.best: dict[str, Tensor] = {}
        self._device = device

    @property
    def n_done(self) -> int:
        """Epochs that are finished."""
        return len(self.done.losses)

    def _groups(self) -> Iterator[tuple[list[nn.Parameter], float]]:
        matrices = [value for value in self.parameters.values() if value.dim() > 1]
        others = [value for value in self.parameters.values() if value.dim() <= 1]
        yield matrices, self.config.weight_decay
        yield others, 0.0

    def _averaged(self) -> Iterator[tuple[str, nn.Parameter]]:
        if self.config.averaging:
            yield from self.parameters.items()

    def epoch(self) -> Iterator[tuple[int, str]]:
        """Train for one epoch; yield after each batch how many examples it had, and a note."""
        number = self.n_done + 1
        rank, n_processes = share()
        # Each process draws negatives and the like of its own.
        rng = _stream(self.seed, number, *([rank] if rank else []))
        batches = self.learner.batches(_stream(self.seed, number))
        self.n_epoch_steps = self.n_epoch_steps or len(batches)
        losses: list[float] = []
        told = f", quality {self.done.qualities[-1]:.4f}" if self.done.qualities else ""
        self.network.train()
        with _torch_seed(self.seed * 1_000_003 + number * 101 + rank):
            for batch in batches:
                losses.append(self._step(batch, rank, n_processes, rng) * len(batch))
                recent = losses[-NOTE_EVERY:]
                n_recent = sum(len(one) for one in batches[len(losses) - len(recent) : len(losses)])
                yield len(batch), f"epoch {number}, loss {sum(recent) / n_recent:.3f}{told}"
        self.done.losses.append(sum(losses) / max(sum(len(batch) for batch in batches), 1))
        self._judge(number)

    def _step(
        self, batch: NDArray[np.int64], rank: int, n_processes: int, rng: np.random.Generator
    ) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.optimiser.zero_grad(set_to_none=True)
        part = batch[rank::n_processes] if len(batch) >= n_processes else batch
        precision = (
            torch.autocast("cuda", dtype=torch.bfloat16)
            if self._device.startswith("cuda")
            else nullcontext()
        )
        with precision:
            loss = self.learner.loss(part, rng)
        if len(batch) >= n_processes > 1:  # parts differ in size by one, and count as they are
            loss = loss * (len(part) * n_processes / len(batch))
        loss.backward()
        total = loss.detach()
        if n_processes > 1:
            total = _mean_of_processes(self.parameters, total, n_processes)
        nn.utils.clip_grad_norm_(self.parameters.values(), self.config.clip_norm)
        self.optimiser.step()
        self.n_steps += 1
        self._average()
        return float(total)

    def _rate(self) -> float:
        config, step = self.config, self.n_steps + 1
        rate = config.learning_rate * min(1.0, step / max(config.warmup_steps, 1))
        gone = min(1.0, self.n_steps / max(config.n_epochs * self.n_epoch_steps, 1))
        if config.schedule == "linear":
            rate *= 1 - gone
        elif config.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * gone))
        return rate

    def _average(self) -> None:
        # Early on a long mean would still be made of untrained weights.
        kept = min(self.config.averaging, (1 + self.n_steps) / (10 + self.n_steps))
        with torch.no_grad():
            for name, mean in self.mean.items():
                mean.lerp_(self.parameters[name], 1 - kept)

    def _judge(self, number: int) -> None:
        """Ask for the quality of the weights as they would be used, and remember the best."""
        self.network.eval()
        with torch.no_grad(), self._with_mean():
            quality = _of_first(self.learner.quality)
            is_best = quality is None or quality > max(self.done.qualities, default=-math.inf)
            if is_best:
                self.done.best_epoch = number
            if quality is not None:
                self.done.qualities.append(quality)
                if is_best:
                    self.best = {name: p.detach().clone() for name, p in self.parameters.items()}
        if quality is not None and share()[0] == 0:
            show_epoch(number, quality)

    @contextmanager
    def _with_mean(self) -> Iterator[None]:
        """Let the network have the mean weights within the block."""
        live = {name: self.parameters[name].detach().clone() for name in self.mean}
        self._load(self.mean)
        try:
            yield
        finally:
            self._load(live)

    def _load(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in weights.items():
                self.parameters[name].copy_(value)

    def is_stale(self) -> bool:
        """Whether quality has not improved for `patience` epochs."""
        qualities, patience = self.done.qualities, self.config.patience
        return 0 < patience <= len(qualities) - self.done.best_epoch if qualities else False

    def finish(self) -> None:
        """Give the network the weights that it keeps."""
        self._load(self.best or self.mean)
        self.network.eval()

    def join(self) -> None:
        """Begin with the weights of the first process."""
        if share()[1] > 1:
            for value in self.parameters.values():
                distributed.broadcast(value.data, src=0)
            self.mean = {name: value.detach().clone() for name, value in self._averaged()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what `restore` needs."""
        tensors: dict[str, Tensor] = {
            f"now/{name}": value for name, value in self.parameters.items()
        }
        tensors |= {f"mean/{name}": value for name, value in self.mean.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        for name, value in self.parameters.items():
            for key, moment in self.optimiser.state.get(value, {}).items():
                tensors[f"optimiser.{key}/{name}"] = moment
        facts = {
            "losses": self.done.losses,
            "qualities": self.done.qualities,
            "best_epoch": self.done.best_epoch,
            "n_steps": self.n_steps,
            "n_epoch_steps": self.n_epoch_steps,
        }
        return tensors, facts

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take up the state that `state` returned."""
        self.done = Trained(facts["losses"], facts["qualities"], facts["best_epoch"])
        self.n_steps, self.n_epoch_steps = facts["n_steps"], facts["n_epoch_steps"]
        for place, tensor in tensors.items():
            kind, _, name = place.partition("/")
            value = self.parameters[name]
            # AdamW counts its steps on the device of the weights, as it is fused.
            tensor = tensor.to(value.device)
            if kind == "now":
                self._load({name: tensor})
            elif kind == "mean":
                self.mean[name] = tensor
            elif kind == "best":
                self.best[name] = tensor
            else:
                self.optimiser.state[value][kind.removeprefix("optimiser.")] = tensor


def share() -> tuple[int, int]:
    """Return the number of this process among those that train together, and how many they are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _of_first(ask: Callable[[], Answer]) -> Answer:
    """Return what the first process answers, so that all go on alike."""
    rank, n_processes = share()
    if n_processes == 1:
        return ask()
    said: list[Any] = [ask() if rank == 0 else None]
    distributed.broadcast_object_list(said, src=0)
    return cast("Answer", said[0])


def _mean_of_processes(
    parameters: dict[str, nn.Parameter], loss: Tensor, n_processes: int
) -> Tensor:
    """Give every process the mean gradient, and return the mean loss."""
    gradients = [
        value.grad if value.grad is not None else torch.zeros_like(value)
        for value in parameters.values()
    ]
    flat = torch.cat([loss.reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
    distributed.all_reduce(flat)
    flat /= n_processes
    start = 1
    for value in parameters.values():
        value.grad = flat[start : start + value.numel()].view_as(value)
        start += value.numel()
    return flat[0]


def _stream(seed: int, *numbers: int) -> np.random.Generator:
    return np.random.default_rng([seed, *numbers])


@contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Draw from this seed within the block, and leave torch's own stream as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)
        yield
