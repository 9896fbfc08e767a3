from __future__ import annotations

import pytest

from endcap.ingest.mapping import (
    check_roles,
    interaction_roles,
    is_positional,
    item_roles,
    user_roles,
)
from endcap.schema.columns import Kind
from endcap.schema.errors import DataError, SettingsError


@pytest.mark.parametrize(
    ("columns", "expected", "kind"),
    [
        (
            ["reviewerID", "asin", "overall", "unixReviewTime", "verified"],
            {"user_id": "reviewerID", "item_id": "asin", "value": "overall"},
            Kind.RATING,
        ),
        (
            ["timestamp", "visitorid", "event", "itemid", "transactionid"],
            {"user_id": "visitorid", "item_id": "itemid", "kind": "event"},
            None,
        ),
        (
            ["user_id", "parent_asin", "asin", "rating", "timestamp"],
            {"item_id": "parent_asin", "ts": "timestamp"},
            Kind.RATING,
        ),
        (
            ["Customer ID", "StockCode", "Quantity", "InvoiceDate", "Price"],
            {"user_id": "Customer ID", "item_id": "StockCode", "price": "Price"},
            Kind.PURCHASE,
        ),
        (["userId", "itemId", "ts"], {"user_id": "userId"}, Kind.VIEW),
        (
            ["household_id", "product_id", "transaction_timestamp", "sales_value"],
            {"total": "sales_value"},
            Kind.PURCHASE,
        ),
    ],
)
def test_common_names_are_guessed(
    columns: list[str], expected: dict[str, str], kind: Kind | None
) -> None:
    roles = interaction_roles(columns, {}, where="f.csv")
    assert expected.items() <= dict(roles.columns).items()
    assert roles.kind is kind


def test_a_mapping_goes_before_a_guess_and_frees_the_guessed_column() -> None:
    roles = interaction_roles(
        ["user_id", "session", "item", "time"], {"user_id": "session"}, where="f"
    )
    assert roles.columns["user_id"] == "session"
    roles = interaction_roles(
        ["user", "item", "time"], {"item_id": "user", "user_id": "item"}, where="f"
    )
    assert (roles.columns["user_id"], roles.columns["item_id"]) == ("item", "user")


def test_kind_may_be_said_once_for_all_rows() -> None:
    columns = ["user_id", "item_id", "ts", "value"]
    assert interaction_roles(columns, {"kind": "cart"}, where="f").kind is Kind.CART
    with pytest.raises(DataError, match="nothing tells what the rows are") as caught:
        interaction_roles(columns, {}, where="f")
    assert "--map kind=rating" in caught.value.mend


def test_a_missing_role_lists_the_columns_and_the_way_out() -> None:
    with pytest.raises(DataError) as caught:
        interaction_roles(["SessionId", "ItemId", "Time"], {}, where="clicks.csv")
    assert "'SessionId', 'ItemId', 'Time'" in caught.value.what
    assert caught.value.mend == "Say which is which: --map user_id=COLUMN"
    assert caught.value.where == "clicks.csv"


def test_a_mapped_column_must_exist() -> None:
    with pytest.raises(DataError, match="no column 'usr'"):
        interaction_roles(["user_id", "item_id", "ts"], {"user_id": "usr"}, where="f")


def test_ratings_need_a_value() -> None:
    with pytest.raises(DataError, match="ratings need a value"):
        interaction_roles(["user_id", "item_id", "ts"], {"kind": "rating"}, where="f")


def test_a_unit_price_goes_before_a_total() -> None:
    columns = ["user_id", "item_id", "ts", "price", "total"]
    assert "total" not in interaction_roles(columns, {}, where="f").columns


def test_item_columns_are_mapped_with_a_prefix() -> None:
    columns = ["asin", "title", "main_cat", "label"]
    roles = item_roles(columns, {"item.brand": "label", "user_id": "ignored"}, where="f")
    assert roles == {
        "item_id": "asin",
        "name": "title",
        "department": "main_cat",
        "brand": "label",
    }
    with pytest.raises(DataError, match="item_id"):
        item_roles(["title"], {}, where="f")


def test_only_roles_can_be_mapped() -> None:
    check_roles({"user_id": "a", "total": "b", "item.name": "c", "user.age": "d", "order": "e"})
    for role in ("userid", "item.price_usd", "name"):
        with pytest.raises(SettingsError, match=f"'{role}' is not a role") as caught:
            check_roles({role: "x"})
        assert "item.image_url" in caught.value.mend


def test_nothing_is_guessed_beside_a_known_format() -> None:
    columns = ["user", "item", "ts", "price", "event"]
    known = {"user_id": "user", "item_id": "item", "ts": "ts", "kind": "view"}
    roles = interaction_roles(columns, known, where="f", guess=False)
    assert (roles.columns, roles.kind) == (
        {"user_id": "user", "item_id": "item", "ts": "ts"},
        Kind.VIEW,
    )
    assert "price" in interaction_roles(columns, known, where="f").columns
    with pytest.raises(DataError, match="no column is known to be ts"):
        interaction_roles(columns, {"user_id": "user", "item_id": "item"}, where="f", guess=False)
    columns = ["sku", "title"]
    assert item_roles(columns, {"item.item_id": "sku"}, where="f", guess=False) == {
        "item_id": "sku"
    }


def test_a_missing_time_comes_with_the_way_to_do_without() -> None:
    with pytest.raises(DataError, match="no column is known to be ts") as caught:
        interaction_roles(["user", "item", "pos"], {}, where="f")
    assert caught.value.mend.endswith("--map order=COLUMN for places instead of times")


def test_users_have_all_columns_as_attributes_unless_some_are_named() -> None:
    columns = ["household_id", "Age Group", "2nd", "Income"]
    assert user_roles(columns, {}, where="f") == {
        "user_id": "household_id", "age_group": "Age Group", "income": "Income"
    }  # fmt: skip
    assert user_roles(columns, {"user_id": "household_id", "age": "Age Group"}, where="f") == {
        "user_id": "household_id",
        "age": "Age Group",
    }
    with pytest.raises(DataError, match="no column is known to be user_id"):
        user_roles(["age"], {}, where="f")
    with pytest.raises(DataError, match="no column 'shoe'"):
        user_roles(columns, {"shoe": "shoe"}, where="f")


def test_positions_mean_that_there_is_no_header() -> None:
    assert is_positional({"user_id": "#1"})
    assert not is_positional({"user_id": "#a", "ts": "x#1"})
