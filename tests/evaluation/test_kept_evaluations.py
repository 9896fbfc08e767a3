"""Evaluations on disk."""

from contextlib import suppress

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, dataset_of, popular_of
from evaluation_shop import shop_rows as make_rows

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.kept import keep, open_kept
from endcap.evaluation.split import split_by_time
from endcap.schema.errors import DataError


@pytest.fixture(scope="module")
def measured():
    split = split_by_time(dataset_of(make_rows(), n_users=N_USERS, n_items=N_ITEMS), cut_us=CUT)
    terms = Terms(n_replicates=100)
    models = {"popular": popular_of(split.train)}
    return evaluate(models, split, rng=np.random.default_rng(0), terms=terms)


def test_everything_comes_back(tmp_path, measured):
    path = keep(measured, root=tmp_path, name="one")
    kept = open_kept(tmp_path)
    assert (kept.name, kept.path) == ("one", path)
    assert kept.evaluation.to_dict() == measured.evaluation.to_dict()
    for view, per_user in measured.per_user.items():
        back = kept.per_user[view]
        assert back.metrics == per_user.metrics
        np.testing.assert_array_equal(back.users, per_user.users)
        for model, values in per_user.values.items():
            np.testing.assert_array_equal(back.values[model], values)
            expected = measured.lists[view][model].ranked.items
            np.testing.assert_array_equal(kept.lists[view][model], expected)
    mean = kept.per_user["all"].of("popular", "ndcg").mean()
    assert mean == pytest.approx(
        kept.evaluation.views["all"].models["popular"].metrics["ndcg"].mean
    )


def test_they_are_found_by_name_or_its_beginning(tmp_path, measured):
    for name in ("abc-1", "abd-2"):
        keep(measured, root=tmp_path, name=name)
    assert open_kept(tmp_path, "abc-1").name == "abc-1"
    assert open_kept(tmp_path, "abd").name == "abd-2"
    assert open_kept(tmp_path).name == "abd-2", "the latest is the one kept last"
    for name, said in (("ab", "more than one"), ("x", "no evaluation"), ("", "more than one")):
        with pytest.raises(DataError, match=said) as caught:
            open_kept(tmp_path, name)
        assert "abc-1, abd-2" in caught.value.mend


def test_nothing_is_kept_yet(tmp_path):
    with pytest.raises(DataError) as caught:
        open_kept(tmp_path)
    assert caught.value.mend == "Run: endcap evaluate"


def test_the_same_name_takes_the_place(tmp_path, measured):
    keep(measured, root=tmp_path, name="one")
    (tmp_path / "one" / "report.html").write_text("old")
    keep(measured, root=tmp_path, name="one")
    assert not (tmp_path / "one" / "report.html").exists()


@pytest.mark.parametrize("file", ["evaluation.json", "per_user.npz", "lists.npz"])
@pytest.mark.parametrize("fault", ["cut", "gone"])
def test_a_damaged_one_says_which_file(tmp_path, measured, file, fault):
    path = keep(measured, root=tmp_path, name="one")
    if fault == "gone" and file != "evaluation.json":
        (path / file).unlink()
    else:
        (path / file).write_bytes((path / file).read_bytes()[:-40])
    with pytest.raises(DataError, match=r"damaged|JSON") as caught:
        open_kept(tmp_path)
    assert file in caught.value.where
    assert "endcap evaluate" in caught.value.mend


@pytest.mark.parametrize("file", ["per_user.npz", "lists.npz"])
def test_whatever_byte_is_wrong_it_is_damaged_or_read(tmp_path, measured, file):
    path = keep(measured, root=tmp_path, name="one") / file
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    n_damaged = 60
    for place in rng.choice(len(whole), size=60, replace=False):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0xFF
        path.write_bytes(spoilt)
        with suppress(DataError):
            open_kept(tmp_path)
            n_damaged -= 1
    assert n_damaged > 50
    path.write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        open_kept(tmp_path)


def test_a_view_that_is_missing_is_noticed(tmp_path, measured):
    path = keep(measured, root=tmp_path, name="one")
    np.savez(path / "lists.npz", other=np.zeros(1))
    with pytest.raises(DataError, match="lacks"):
        open_kept(tmp_path)
