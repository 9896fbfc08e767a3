import numpy as np
import pytest
import torch
from safetensors import safe_open

from endcap.models.learning.checkpoint import STATE, Checkpoint, training_key

TENSORS = {"a/x": torch.arange(6.0).reshape(2, 3), "step": torch.tensor(7)}
FACTS = {"losses": [0.1 + 0.2, float("inf")], "n_steps": 3}


@pytest.fixture
def kept(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new" / "folder", "this training")
    checkpoint.save(TENSORS, FACTS)
    return checkpoint


def test_what_was_saved_comes_back_bit_by_bit(kept):
    tensors, facts = kept.load()
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_views_and_shared_memory_are_kept_as_they_look(tmp_path):
    whole = torch.arange(6.0).reshape(2, 3)
    checkpoint = Checkpoint(tmp_path, "views")
    checkpoint.save({"turned": whole.T}, {})
    tensors, _ = checkpoint.load()
    assert tensors["turned"].tolist() == whole.T.tolist()


def test_there_is_one_file_and_no_scratch(kept):
    kept.save(TENSORS, FACTS)
    assert [path.name for path in kept.folder.iterdir()] == [STATE]


def test_nothing_is_found_where_nothing_was_saved(tmp_path):
    assert Checkpoint(tmp_path / "none", "this training").load() is None


def test_that_of_another_training_is_not_taken_up(kept):
    assert Checkpoint(kept.folder, "another").load() is None
    assert kept.load() is not None


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:4],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: b"\xff" * len(whole),
        lambda whole: b"not a file of tensors at all",
    ],
)
def test_a_damaged_file_is_none_with_a_message(kept, damage, capsys):
    path = kept.folder / STATE
    path.write_bytes(damage(path.read_bytes()))
    assert kept.load() is None
    assert "begins anew" in " ".join(capsys.readouterr().err.split())
    kept.save(TENSORS, FACTS)
    assert kept.load()[1] == FACTS


def test_a_file_of_somebody_else_is_none_with_a_message(kept, capsys):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, kept.folder / STATE)
    assert kept.load() is None
    assert "begins anew" in " ".join(capsys.readouterr().err.split())


def test_until_the_new_state_is_whole_the_old_one_stays(kept, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", die)
    with pytest.raises(KeyboardInterrupt):
        kept.save({"a/x": torch.zeros(1)}, {"n_steps": 4})
    monkeypatch.undo()
    assert kept.load()[1] == FACTS
    kept.clear()
    assert not list(kept.folder.iterdir())
    kept.clear()


def test_no_code_is_in_the_file(kept):
    with safe_open(kept.folder / STATE, framework="np") as file:
        assert set(file.keys()) == {"a/x", "step"}
    assert b"torch" not in (kept.folder / STATE).read_bytes()


def test_the_key_tells_trainings_apart():
    numbers = np.arange(6)
    keys = [
        training_key("{}", 1, numbers),
        training_key("{}", 2, numbers),
        training_key('{"a": 1}', 1, numbers),
        training_key("{}", 1, numbers[::-1]),
        training_key("{}", 1, numbers.reshape(2, 3)),
        training_key("{}", 1, numbers.astype(np.int32)),
        training_key("{}", 1, numbers[:3], numbers[3:]),
        training_key("{}", 1, numbers, np.empty(0)),
    ]
    assert len(set(keys)) == len(keys)
    assert training_key("{}", 1, np.asfortranarray(numbers)) == keys[0]
