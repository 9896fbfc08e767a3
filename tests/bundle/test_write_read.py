from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from endcap.bundle import write as write_module
from endcap.bundle.format import ARRAYS, MANIFEST, BundleParts
from endcap.bundle.manifest import bundle_id_of, read_manifest, render_manifest, verify
from endcap.bundle.read import read_bundle
from endcap.bundle.write import current, publish, write_bundle
from endcap.features.history import History, build_history
from endcap.schema.dataset import Interactions
from endcap.schema.errors import BundleError
from shops import SHIFT_US, shop_parts, write_shop

LINEAGE = {"snapshot": {"snapshot_id": "s"}, "commit": "c0ffee", "models": {}, "evaluation": {}}


@pytest.fixture(scope="module")
def parts(shop):
    return shop_parts(shop, with_tower=True)


@pytest.fixture
def copy(bundle_root, tmp_path):
    """A private copy of a folder of bundles with one published bundle."""
    return shutil.copytree(bundle_root, tmp_path / "bundles")


def empty_parts() -> BundleParts:
    nothing = np.empty(0, dtype=np.int32)
    floats = np.empty(0, dtype=np.float32)
    none = Interactions(
        nothing, nothing, nothing.astype(np.uint8), floats, floats, nothing.astype(np.int64)
    )
    return BundleParts(
        user_ids=(),
        item_ids=(),
        catalogue=(),
        department=nothing,
        department_names=(),
        category=nothing,
        category_names=(),
        price=floats,
        is_available=nothing.astype(np.bool_),
        history=build_history(none, 0),
        popular_counts=nothing.astype(np.float64),
        popular_half_life_days=90.0,
        decay_origin_us=0,
        data_end_us=0,
        clock_shift_us=0,
    )


def assert_same(written, read):
    if isinstance(written, np.ndarray):
        np.testing.assert_array_equal(read, written, strict=True)
    elif isinstance(written, History):
        for field in fields(History):
            assert_same(getattr(written, field.name), getattr(read, field.name))
    elif isinstance(written, tuple | list):
        assert list(read) == list(written)
    else:
        assert read == written


def test_what_was_written_is_read(parts, tmp_path):
    bundle = read_bundle(write_bundle(parts, tmp_path, **LINEAGE))
    for field in fields(BundleParts):
        assert_same(getattr(parts, field.name), getattr(bundle, field.name))
    assert bundle.manifest["commit"] == "c0ffee"
    assert bundle.manifest["snapshot"] == {"snapshot_id": "s"}
    assert [bundle.user_index[one] for one in parts.user_ids] == list(range(parts.n_users))
    assert [bundle.item_index[one] for one in parts.item_ids] == list(range(parts.n_items))


OPTIONAL = (
    "trending_counts",
    "first_seen_us",
    "neighbour_items",
    "neighbour_sims",
    "als_item_factors",
    "tower_item_vectors",
    "user_tower_onnx",
)


def test_what_was_left_out_is_none(parts, tmp_path):
    bare = replace(parts, **dict.fromkeys(OPTIONAL))
    bundle = read_bundle(write_bundle(bare, tmp_path, **LINEAGE))
    assert all(getattr(bundle, name) is None for name in OPTIONAL)


def test_a_shop_without_anything_can_be_written(tmp_path):
    bundle = read_bundle(write_bundle(empty_parts(), tmp_path, **LINEAGE))
    assert (bundle.n_items, bundle.n_users, list(bundle.catalogue)) == (0, 0, [])


def test_catalogue_entries_are_read_one_by_one(shop, bundle):
    assert bundle.catalogue_entry(3) == shop.catalogue[3]
    assert bundle.catalogue[-1] == shop.catalogue[-1]
    assert bundle.catalogue[5:7] == list(shop.catalogue[5:7])
    with pytest.raises(IndexError):
        bundle.catalogue[len(shop.catalogue)]


def test_text_of_any_language_survives(parts, tmp_path):
    catalogue = [dict(entry) for entry in parts.catalogue]
    catalogue[0]["name"] = "Crème brûlée “extra”\n日本"
    bundle = read_bundle(write_bundle(replace(parts, catalogue=catalogue), tmp_path, **LINEAGE))
    assert bundle.catalogue_entry(0)["name"] == catalogue[0]["name"]
    assert bundle.catalogue_entry(1) == catalogue[1]


def test_a_price_that_is_no_number_becomes_none(parts, tmp_path):
    catalogue = [dict(entry) for entry in parts.catalogue]
    catalogue[0]["price"] = np.float32("nan")
    catalogue[1]["price"] = np.float32(2.5)
    bundle = read_bundle(write_bundle(replace(parts, catalogue=catalogue), tmp_path, **LINEAGE))
    assert bundle.catalogue_entry(0)["price"] is None
    assert bundle.catalogue_entry(1)["price"] == 2.5


def test_names_are_equal_whatever_their_case_and_spacing(parts, tmp_path):
    catalogue = [dict(entry) for entry in parts.catalogue]
    for index, name in enumerate(["Red  Apples", "red apples ", "Red Apple", None, ""]):
        catalogue[index]["name"] = name
    codes = read_bundle(
        write_bundle(replace(parts, catalogue=catalogue), tmp_path, **LINEAGE)
    ).name_code
    assert codes[0] == codes[1] != codes[2]
    assert codes[3] == codes[4] == -1


def test_shoppers_are_counted_from_the_history(shop, bundle):
    events = shop.data.interactions
    since_us = shop.data.end_us - 10 * 86_400_000_000
    users = {
        item: set(events.user_idx[events.item_idx == item].tolist()) for item in (0, 7, 30, 298)
    }
    late = events.ts >= since_us
    for item, expected in users.items():
        recent = set(events.user_idx[(events.item_idx == item) & late].tolist())
        assert bundle.n_shoppers(item) == len(expected)
        assert bundle.n_shoppers_since(item, since_us) == len(recent)
        for other, others in users.items():
            assert bundle.n_joint_shoppers(item, other) == len(expected & others)


def test_data_time_is_wall_time_less_the_shift(bundle):
    assert bundle.data_time(SHIFT_US + 5) == 5


def test_the_same_content_has_the_same_id_and_is_written_once(parts, tmp_path):
    early = datetime(2026, 1, 1, tzinfo=UTC)
    first = write_bundle(parts, tmp_path / "a", **LINEAGE, created_at=early)
    again = write_bundle(parts, tmp_path / "a", **LINEAGE)
    other = write_bundle(parts, tmp_path / "b", **LINEAGE)
    assert first == again
    assert first.name == other.name == read_bundle(first).bundle_id
    assert read_manifest(first)["created_at"] == "2026-01-01T00:00:00+00:00"
    assert [path.name for path in (tmp_path / "a").iterdir()] == [first.name]


@pytest.mark.parametrize(
    "change", [{"clock_shift_us": 7}, {"als_reg": 0.2}, {"user_ids": tuple(map(str, range(60)))}]
)
def test_other_content_has_another_id(parts, tmp_path, change):
    one = write_bundle(parts, tmp_path, **LINEAGE)
    other = write_bundle(replace(parts, **change), tmp_path, **LINEAGE)
    assert one != other


def test_a_changed_byte_in_any_file_is_found_and_named(copy):
    folder = current(copy)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for place in {0, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
            broken = bytearray(whole)
            broken[place] ^= 0x01
            path.write_bytes(broken)
            with pytest.raises(BundleError) as caught:
                read_bundle(folder)
            assert path.name in str(caught.value), (path.name, place)
        path.write_bytes(whole)
    read_bundle(folder)


def test_a_changed_byte_anywhere_in_the_manifest_is_found(copy):
    path = current(copy) / MANIFEST
    whole = path.read_bytes()
    for place in range(0, len(whole), 31):
        broken = bytearray(whole)
        broken[place] ^= 0x01
        path.write_bytes(broken)
        with pytest.raises(BundleError, match=MANIFEST):
            read_manifest(path.parent)


def test_a_file_cut_short_is_found(copy):
    path = current(copy) / "price.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"price\.npy"):
        read_bundle(path.parent)


def test_a_missing_file_is_named(copy):
    for path in sorted(current(copy).iterdir()):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(BundleError, match=path.name):
            read_bundle(path.parent)
        path.write_bytes(whole)


@pytest.mark.parametrize("number", [1, 3])
def test_another_format_is_refused_by_its_number(copy, number):
    folder = current(copy)
    manifest = {**read_manifest(folder), "format": number}
    manifest["bundle_id"] = bundle_id_of(manifest)
    (folder / MANIFEST).write_bytes(render_manifest(manifest))
    with pytest.raises(BundleError, match=f"format {number}, this release reads 2.*train again"):
        read_bundle(folder)


def test_a_manifest_that_is_no_object_is_refused(copy):
    folder = current(copy)
    (folder / MANIFEST).write_text(json.dumps([1]))
    with pytest.raises(BundleError, match=MANIFEST):
        read_bundle(folder)


def test_nothing_is_current_before_something_was_published(parts, tmp_path):
    write_bundle(parts, tmp_path, **LINEAGE)
    with pytest.raises(BundleError, match="no bundle yet"):
        current(tmp_path)


def test_a_half_written_folder_never_becomes_current(copy):
    before = current(copy)
    half = copy / "half"
    shutil.copytree(before, half)
    (half / MANIFEST).unlink()
    with pytest.raises(BundleError, match=MANIFEST):
        publish(half, copy)
    assert current(copy) == before


def test_a_broken_bundle_never_becomes_current(copy, parts):
    before = current(copy)
    other = write_bundle(replace(parts, clock_shift_us=1), copy, **LINEAGE)
    (other / "price.npy").write_bytes(b"no")
    with pytest.raises(BundleError, match=r"price\.npy"):
        publish(other, copy)
    assert current(copy) == before


def test_a_bundle_elsewhere_never_becomes_current(copy, parts, tmp_path):
    elsewhere = write_bundle(parts, tmp_path / "elsewhere", **LINEAGE)
    with pytest.raises(BundleError, match="under the root"):
        publish(elsewhere, copy)


def test_publishing_moves_the_pointer_in_one_step(copy, parts, monkeypatch):
    before = current(copy)
    other = write_bundle(replace(parts, clock_shift_us=1), copy, **LINEAGE)
    assert current(copy) == before
    publish(other, copy)
    assert current(copy) == other
    assert sorted(path.name for path in copy.iterdir()) == sorted(
        [before.name, other.name, "current"]
    )


def test_a_crash_while_writing_leaves_nothing_behind(copy, parts, monkeypatch):
    before = sorted(path.name for path in copy.iterdir())

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(write_module, "_write_catalogue", crash)
    with pytest.raises(OSError, match="disk full"):
        write_bundle(replace(parts, clock_shift_us=1), copy, **LINEAGE)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_a_current_bundle_that_is_gone_is_an_error(copy):
    shutil.rmtree(current(copy))
    with pytest.raises(BundleError, match="gone"):
        current(copy)


def test_writing_again_over_a_broken_copy_is_refused(parts, tmp_path):
    folder = write_bundle(parts, tmp_path, **LINEAGE)
    (folder / "price.npy").write_bytes(b"no")
    with pytest.raises(BundleError, match=r"price\.npy"):
        write_bundle(parts, tmp_path, **LINEAGE)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"price": np.zeros(300)}, "price"),
        ({"price": np.zeros(299, dtype=np.float32)}, "price"),
        ({"popular_counts": np.zeros((300, 1))}, "popular_counts"),
        ({"neighbour_sims": np.zeros((300, 3), dtype=np.float32)}, "neighbour_sims"),
        ({"neighbour_sims": None}, "neighbour_items"),
        ({"user_tower_onnx": None}, "tower_item_vectors"),
        ({"department": np.full(300, 6, dtype=np.int32)}, "department"),
        ({"category": np.full(300, -2, dtype=np.int32)}, "category"),
        ({"user_ids": ("same",) * 60}, "user_ids"),
        ({"user_ids": ("u",)}, "history.indptr"),
        ({"catalogue": ()}, "catalogue"),
        ({"catalogue": ({"item_id": "other"},) * 300}, "catalogue"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, tmp_path, change, where):
    with pytest.raises(BundleError) as caught:
        write_bundle(replace(parts, **change), tmp_path / "root", **LINEAGE)
    assert caught.value.where == where
    assert not (tmp_path / "root").exists()


def test_arrays_are_mapped_not_copied(bundle):
    for spec in ARRAYS:
        array = spec.of(bundle)
        if array is not None:
            assert type(array) is np.ndarray
            assert isinstance(array.base, np.memmap)
            assert not array.flags.writeable


def test_verify_returns_the_manifest(bundle, bundle_root):
    assert verify(current(bundle_root)) == bundle.manifest


def test_write_shop_publishes(shop, tmp_path):
    assert write_shop(shop_parts(shop), tmp_path) == current(tmp_path)
