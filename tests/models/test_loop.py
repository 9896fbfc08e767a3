import math
import os
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_training
from torch import distributed, multiprocessing
from toy_training import CONFIG, INPUTS, ToyLearner, toy_checkpoint, toy_network, train_toy

from endcap.models.learning.checkpoint import STATE
from endcap.models.learning.loop import LoopConfig, share, train_network

IN_EPOCH_3 = 2 * (toy_training.N_EXAMPLES // toy_training.BATCH) + 3


def interrupt():
    raise KeyboardInterrupt


def changed(**settings):
    return CONFIG.model_copy(update=settings)


@pytest.fixture(scope="module")
def whole():
    """The training without interruption."""
    return train_toy()


def test_it_learns(whole):
    weights, trained, _ = whole
    assert len(trained.losses) == trained.best_epoch == 6
    assert trained.qualities == []
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert not np.array_equal(weights, train_toy(seed=4)[0])


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(whole):
    torch.rand(17)
    state = torch.random.get_rng_state()
    weights, trained, _ = train_toy()
    assert np.array_equal(weights, whole[0])
    assert trained == whole[1]
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("qualities", [(), (1, 3, 2, 1, 0, 0)])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, averaging, qualities):
    config = changed(averaging=averaging)
    expected = train_toy(config=config, qualities=qualities)
    checkpoint = toy_checkpoint(tmp_path, config=config)
    with pytest.raises(KeyboardInterrupt):
        train_toy(
            config=config,
            checkpoint=checkpoint,
            interrupt_at=IN_EPOCH_3,
            interruption=interrupt,
            qualities=qualities,
        )
    resumed = train_toy(config=config, checkpoint=checkpoint, qualities=qualities[2:])
    assert np.array_equal(resumed[0], expected[0])
    assert resumed[1] == expected[1]
    assert resumed[2].n_batches == 4 * 4
    assert resumed[1].best_epoch == (2 if qualities else 6)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(whole, tmp_path):
    """By a signal that no program can catch, in the middle of an epoch."""
    room = Path(toy_training.__file__).parent
    source = Path(__file__).resolve().parents[2] / "src"
    ended = subprocess.run(
        [sys.executable, str(room / "toy_training.py"), str(tmp_path), str(IN_EPOCH_3)],
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    weights, trained, learner = train_toy(checkpoint=toy_checkpoint(tmp_path))
    assert learner.n_batches == 4 * 4
    assert np.array_equal(weights, whole[0])
    assert trained == whole[1]


def test_interrupted_in_every_epoch_it_still_arrives(whole, tmp_path):
    checkpoint = toy_checkpoint(tmp_path)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            train_toy(checkpoint=checkpoint, interrupt_at=7, interruption=interrupt)
    weights, trained, learner = train_toy(checkpoint=checkpoint)
    assert learner.n_batches == 4
    assert np.array_equal(weights, whole[0])
    assert trained == whole[1]


def test_a_finished_training_is_not_done_twice(whole, tmp_path):
    checkpoint = toy_checkpoint(tmp_path)
    train_toy(checkpoint=checkpoint)
    weights, trained, learner = train_toy(checkpoint=checkpoint)
    assert learner.n_batches == 0
    assert np.array_equal(weights, whole[0])
    assert trained == whole[1]


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        {"config": changed(clip_norm=4.0)},
        {"inputs": INPUTS[::-1]},
        {"inputs": INPUTS.astype(np.float64)},
    ],
)
def test_another_training_begins_anew(whole, tmp_path, other):
    train_toy(checkpoint=toy_checkpoint(tmp_path, **other))
    weights, _, learner = train_toy(checkpoint=toy_checkpoint(tmp_path))
    assert learner.n_batches == 6 * 4
    assert np.array_equal(weights, whole[0])


def test_a_damaged_checkpoint_begins_anew_with_a_message(whole, tmp_path, capsys):
    train_toy(checkpoint=toy_checkpoint(tmp_path))
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:-3])
    weights, _, learner = train_toy(checkpoint=toy_checkpoint(tmp_path))
    assert "the training begins anew" in " ".join(capsys.readouterr().err.split())
    assert learner.n_batches == 6 * 4
    assert np.array_equal(weights, whole[0])


def test_it_says_that_it_goes_on(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train_toy(
            checkpoint=toy_checkpoint(tmp_path), interrupt_at=IN_EPOCH_3, interruption=interrupt
        )
    capsys.readouterr()
    train_toy(checkpoint=toy_checkpoint(tmp_path))
    assert "toy: goes on after epoch 2" in capsys.readouterr().err


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_early_stopping_keeps_the_best_weights(averaging):
    config = changed(patience=2, averaging=averaging)
    weights, trained, learner = train_toy(config=config, qualities=(1, 4, 3, 2, 5, 6))
    assert trained.qualities == [1, 4, 3, 2]
    assert (trained.best_epoch, len(trained.losses)) == (2, 4)
    assert np.array_equal(weights, learner.judged[1])


def test_the_same_quality_again_is_no_improvement():
    weights, trained, learner = train_toy(config=changed(patience=3), qualities=(0.0,) * 6)
    assert (trained.best_epoch, len(trained.losses)) == (1, 4)
    assert np.array_equal(weights, learner.judged[0])


def test_without_patience_all_epochs_run_and_the_best_is_kept():
    weights, trained, learner = train_toy(qualities=(1, 4, 3, 2, 1, 0))
    assert (trained.best_epoch, len(trained.losses)) == (2, 6)
    assert np.array_equal(weights, learner.judged[1])


def test_a_stopped_training_stays_stopped(tmp_path):
    config = changed(patience=1)
    checkpoint = toy_checkpoint(tmp_path, config=config)
    one = train_toy(config=config, checkpoint=checkpoint, qualities=(2, 1))
    other = train_toy(config=config, checkpoint=checkpoint, qualities=(9, 9))
    assert other[2].n_batches == 0
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]


class Watched(ToyLearner):
    """Remembers the live weights before each step, and the rate of the one before."""

    def __init__(self, network):
        super().__init__(network)
        self.seen = []

    def loss(self, batch, rng):
        self.seen.append(toy_training.weights_of(self.network))
        return super().loss(batch, rng)


def test_averaging_is_the_running_mean_of_the_weights():
    plain = toy_network()
    last = Watched(plain)
    train_network(plain, last, config=changed(averaging=0.0), seed=3, title="toy")
    live = [*last.seen[1:], toy_training.weights_of(plain)]
    mean = last.seen[0].astype(np.float64)
    for step, weights in enumerate(live, 1):
        kept = min(0.9, (1 + step) / (10 + step))
        mean = kept * mean + (1 - kept) * weights
    averaged, _, _ = train_toy()
    np.testing.assert_allclose(averaged, mean, atol=1e-5)
    assert not np.allclose(averaged, live[-1], atol=1e-3)


def rates(config, n_steps):
    """Return the learning rates of a training whose gradients are all of one sign."""
    weight = torch.nn.Linear(1, 1, bias=False)

    class Downhill:
        def __init__(self):
            self.steps = []

        def batches(self, rng):
            return [np.arange(1)] * 4

        def loss(self, batch, rng):
            self.steps.append(weight.weight.item())
            return weight.weight.sum()

        def quality(self):
            return None

    learner = Downhill()
    train_network(weight, learner, config=config, seed=0, title="toy")
    path = [*learner.steps, weight.weight.item()]
    assert len(path) == n_steps + 1
    # Adam's step is the rate itself where every gradient is the same.
    return [before - after for before, after in pairwise(path)]


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_schedule_has_the_values_that_it_says(schedule):
    config = LoopConfig(
        n_epochs=3, learning_rate=0.01, schedule=schedule, warmup_steps=4, weight_decay=0.0
    )
    gone = np.arange(12) / 12
    falls = {
        "constant": np.ones(12),
        "linear": 1 - gone,
        "cosine": 0.5 * (1 + np.cos(math.pi * gone)),
    }
    warm = np.minimum(1, np.arange(1, 13) / 4)
    np.testing.assert_allclose(rates(config, 12), 0.01 * warm * falls[schedule], rtol=2e-3)


def test_without_epochs_the_network_is_left_as_it_was():
    weights, trained, learner = train_toy(config=changed(n_epochs=0))
    assert np.array_equal(weights, toy_training.weights_of(toy_network()))
    assert (trained.losses, trained.best_epoch, learner.n_batches) == ([], 0, 0)


def test_without_examples_it_ends():
    class Nothing(ToyLearner):
        def batches(self, rng):
            return []

    network = toy_network()
    trained = train_network(network, Nothing(network), config=CONFIG, seed=1, title="toy")
    assert trained.losses == [0.0] * 6
    assert not network.training


def test_alone_it_is_the_first_of_one():
    assert share() == (0, 1)


def in_one_of_two(rank, folder, trainings):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=100),
    )
    for name, qualities in trainings.items():
        # Only the first finds the checkpoint, as where machines share no folder.
        checkpoint = toy_checkpoint(Path(folder, name, f"kept-{rank}"))
        # Each foresees something else; what the first says holds for both.
        mine = qualities if rank == 0 else [-one for one in qualities]
        weights, trained, learner = train_toy(checkpoint=checkpoint, qualities=mine)
        np.savez(
            Path(folder, f"{name}-{rank}.npz"),
            weights=weights,
            losses=trained.losses,
            best_epoch=trained.best_epoch,
            n_batches=learner.n_batches,
        )
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What each of two processes had at the end of a whole training and of a resumed one."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.raises(KeyboardInterrupt):
        train_toy(
            checkpoint=toy_checkpoint(folder / "resumed" / "kept-0"),
            interrupt_at=IN_EPOCH_3,
            interruption=interrupt,
            qualities=(1, 2),
        )
    trainings = {"whole": (), "resumed": (4, 3, 2, 1)}
    multiprocessing.spawn(in_one_of_two, args=(str(folder), trainings), nprocs=2)
    return {
        name: [dict(np.load(folder / f"{name}-{rank}.npz")) for rank in (0, 1)]
        for name in trainings
    }


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one_but_for_noise(two_processes):
    one, other = two_processes["whole"]
    assert np.array_equal(one["weights"], other["weights"])
    assert np.array_equal(one["losses"], other["losses"])
    # Dropout and noise are drawn anew; another seed alone moves the losses as much.
    seeds = np.array([train_toy(seed=seed)[1].losses for seed in range(3, 15)])
    spread = seeds.std(axis=0)
    assert np.all(np.abs(one["losses"] - seeds.mean(axis=0)) < 4 * spread)
    assert np.all(spread < 0.2 * seeds.mean(axis=0))


@pytest.mark.slow
def test_processes_resume_and_judge_as_the_first_of_them_does(two_processes):
    one, other = two_processes["resumed"]
    assert np.array_equal(one["weights"], other["weights"])
    assert one["n_batches"] == other["n_batches"] == 4 * 4
    assert one["best_epoch"] == other["best_epoch"] == 3
