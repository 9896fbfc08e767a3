"""Which column of a raw file plays which role: given by the caller, or guessed from common names.

Knows names only; whether the values are any good is for `clean`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from endcap.schema.columns import Kind
from endcap.schema.errors import DataError, SettingsError

REQUIRED = ("user_id", "item_id", "ts")
OPTIONAL = ("kind", "value", "price", "total")
ORDER_ROLE = "order"  # a position instead of a time; `sources` turns it into `ts`
ITEM_PREFIX = "item."
USER_PREFIX = "user."

# Lower case, letters and digits only; the first that a file has is taken. `total` is what a line
# cost in all: the unit price is then total / value.
GUESSES: dict[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "reviewerid", "visitorid", "householdid", "customerid", "memberid"),
        *("customerkey", "clientid", "shopperid", "accountid", "user", "customer", "visitor"),
    ),
    # parentasin before asin: the 2023 Amazon data say that only the parent names a product.
    "item_id": (
        *("itemid", "parentasin", "asin", "productid", "sku", "stockcode", "articleid", "movieid"),
        *("item", "product"),
    ),
    "ts": (
        *("ts", "timestamp", "unixreviewtime", "time", "transactiontimestamp", "eventtime"),
        *("datetime", "date", "invoicedate", "createdat", "orderdate", "purchasedate"),
    ),
    "kind": ("kind", "event", "eventtype", "behavior", "action"),
    "value": ("value", "rating", "overall", "stars", "score", "quantity", "qty"),
    "price": ("price", "unitprice"),
    "total": ("total", "salesvalue", "linetotal"),
}
ITEM_GUESSES: dict[str, tuple[str, ...]] = {
    "item_id": GUESSES["item_id"],
    "name": ("name", "title", "productname", "itemname", "description"),
    "description": ("description", "productdescription", "longdescription"),
    "department": ("department", "maincat", "maincategory", "topcategory"),
    "category": ("category", "categories", "productcategory", "subcategory"),
    "brand": ("brand", "manufacturer", "store"),
    "price": ("price", "unitprice"),
    "currency": ("currency",),
    "image_url": ("imageurl", "imurl", "image", "imageurlhighres", "images"),
    "is_available": ("isavailable", "available", "instock"),
    "also_bought": ("alsobought", "alsobuy"),
    "also_viewed": ("alsoviewed", "alsoview"),
}
RATING_NAMES = {"rating", "overall", "stars", "score"}
PURCHASE_NAMES = {"quantity", "qty"}


@dataclass(frozen=True, slots=True)
class Roles:
    """The column behind each role of an interaction.

    columns: role -> column as the file names it; roles that the file lacks are absent.
    kind: what every row is, when no column says so.
    """

    columns: Mapping[str, str]
    kind: Kind | None


def check_roles(mapping: Mapping[str, str]) -> None:
    """Raise `SettingsError` unless every left side is a role that a column can play."""
    known = (*REQUIRED, *OPTIONAL, ORDER_ROLE, *(ITEM_PREFIX + role for role in ITEM_GUESSES))
    for role in mapping:
        if role not in known and not role.startswith(USER_PREFIX):
            raise SettingsError(
                f"{role!r} is not a role that a column can play",
                where="--map",
                mend=f"Known: {', '.join(known)}, {USER_PREFIX}ATTRIBUTE",
            )


def is_positional(mapping: Mapping[str, str]) -> bool:
    """Return whether columns are named by position (`#1`), so that the file has no header."""
    return any(re.fullmatch(r"#\d+", column) for column in mapping.values())


def interaction_roles(
    columns: Sequence[str], mapping: Mapping[str, str], *, where: str, guess: bool = True
) -> Roles:
    """Return the roles of a file of interactions.

    What the mapping leaves open is guessed from common names, if that is wanted. A file without a
    `kind` column holds ratings if its value column is named like one, purchases if it has a
    quantity or a price, and views if it has neither.

    Raises:
        DataError: a required role has no column, a mapped column is not there, or nothing tells
            what the rows are; the message lists what was found.
    """
    wanted = {
        role: name
        for role, name in mapping.items()
        if not role.startswith((ITEM_PREFIX, USER_PREFIX))
    }
    kind: Kind | None = None
    said = wanted.get("kind")
    # A column of that name is meant, unless it is already known to hold the stars.
    if said in set(Kind) and (said not in columns or said == wanted.get("value")):
        kind = Kind(wanted.pop("kind"))
    guesses = {role: names for role, names in GUESSES.items() if role != "kind" or kind is None}
    chosen = _choose(columns, wanted, guesses if guess else {}, where=where)
    missing = [role for role in REQUIRED if role not in chosen]
    if missing:
        raise DataError(
            f"no column is known to be {' or '.join(missing)}; the file has: {_listing(columns)}",
            where=where,
            mend="Say which is which: "
            + " ".join(f"--map {role}=COLUMN" for role in missing)
            + (", or --map order=COLUMN for places instead of times" if "ts" in missing else ""),
        )
    if "price" in chosen:
        chosen.pop("total", None)
    if kind is None and "kind" not in chosen:
        kind = _kind_of_rows(chosen, where=where)
    if kind is Kind.RATING and "value" not in chosen:
        raise DataError("ratings need a value column", where=where, mend="Add --map value=COLUMN")
    return Roles(chosen, kind)


def item_roles(
    columns: Sequence[str], mapping: Mapping[str, str], *, where: str, guess: bool = True
) -> dict[str, str]:
    """Return role -> column of a catalogue file; mapped roles are written `item.name=title`.

    What the mapping leaves open is guessed from common names, if that is wanted.

    Raises:
        DataError: no column is the item_id, or a mapped column is not there.
    """
    wanted = {
        role.removeprefix(ITEM_PREFIX): name
        for role, name in mapping.items()
        if role.startswith(ITEM_PREFIX)
    }
    chosen = _choose(columns, wanted, ITEM_GUESSES if guess else {}, where=where)
    if "item_id" not in chosen:
        raise DataError(
            f"no column is known to be item_id; the file has: {_listing(columns)}",
            where=where,
            mend="Say which is which: --map item.item_id=COLUMN",
        )
    return chosen


def user_roles(columns: Sequence[str], mapping: Mapping[str, str], *, where: str) -> dict[str, str]:
    """Return `user_id` and attribute -> column of a table of users.

    Args:
        columns: of the table.
        mapping: what is known; when it names no attribute, every other column is one, under its
            name in small letters.
        where: the table, for errors.

    Raises:
        DataError: no column is the user_id, or a mapped column is not there.
    """
    chosen = _choose(columns, mapping, {"user_id": GUESSES["user_id"]}, where=where)
    if "user_id" not in chosen:
        raise DataError(
            f"no column is known to be user_id; the file has: {_listing(columns)}",
            where=where,
            mend="Say which is which: --map user.user_id=COLUMN",
        )
    if set(mapping) <= {"user_id"}:
        for column in columns:
            name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
            if column != chosen["user_id"] and re.match("[a-z]", name):
                chosen.setdefault(name, column)
    return {"user_id": chosen.pop("user_id"), **chosen}


def _choose(
    columns: Sequence[str],
    wanted: Mapping[str, str],
    guesses: Mapping[str, tuple[str, ...]],
    *,
    where: str,
) -> dict[str, str]:
    by_plain_name: dict[str, str] = {}
    for column in columns:
        by_plain_name.setdefault(_plain(column), column)
    chosen: dict[str, str] = {}
    for role, names in guesses.items():
        if role in wanted:
            continue
        found = next((by_plain_name[name] for name in names if name in by_plain_name), None)
        if found is not None and found not in wanted.values():
            chosen[role] = found
    for role, column in wanted.items():
        if column not in columns:
            raise DataError(
                f"there is no column {column!r}; the file has: {_listing(columns)}",
                where=where,
                mend=f"Correct the mapping of {role}",
            )
        chosen[role] = column
    return chosen


def _kind_of_rows(chosen: Mapping[str, str], *, where: str) -> Kind:
    value = _plain(chosen.get("value", ""))
    if value in RATING_NAMES:
        return Kind.RATING
    if value in PURCHASE_NAMES or "price" in chosen or "total" in chosen:
        return Kind.PURCHASE
    if value:
        raise DataError(
            f"nothing tells what the rows are, with values in {chosen['value']!r}",
            where=where,
            mend=f"Add one of {', '.join(f'--map kind={kind}' for kind in Kind)}",
        )
    return Kind.VIEW


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listing(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(column[:40]) for column in columns[:30])
    return shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")
