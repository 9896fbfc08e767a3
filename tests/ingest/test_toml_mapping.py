from __future__ import annotations

import re
from pathlib import Path

import pytest

from endcap.ingest.toml_mapping import GivenMapping, mapping_of_pairs, read_mapping
from endcap.schema.columns import Kind
from endcap.schema.errors import SettingsError

WHOLE = """
[file]
delimiter = "|"
encoding = "latin-1"
has_header = false
quote = ""

[interactions]
user_id = "visitor"
item_id = "sku"
ts = "when"
kind = "event"
value = "qty"
time_zone = "Europe/London"
ts_unit = "seconds"

[kinds]
Click = "view"
basket = "cart"
"checkout.done" = "purchase"
wish.list.add = "like"

[items]
item_id = "sku"
name = "title"

[users]
user_id = "id"
age = "age"
post_code = "Post Code"

[[refuse]]
column = "invoice"
matches = "^C"
reason = "a cancellation"

[[refuse]]
column = "qty"
matches = "^-"
reason = "a return"
"""


def read(tmp_path: Path, text: str) -> GivenMapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return read_mapping(path)


def test_a_whole_mapping(tmp_path: Path) -> None:
    given = read(tmp_path, WHOLE)
    assert (given.file.delimiter, given.file.encoding) == ("|", "latin-1")
    assert (given.file.has_header, given.file.quote) == (False, "")
    assert given.interaction_columns() == {
        "user_id": "visitor", "item_id": "sku", "ts": "when", "kind": "event", "value": "qty"
    }  # fmt: skip
    assert (given.interactions.time_zone, given.interactions.ts_unit) == (
        "Europe/London",
        "seconds",
    )
    assert given.kinds == {
        "click": Kind.VIEW, "basket": Kind.CART, "checkout.done": Kind.PURCHASE,
        "wish.list.add": Kind.LIKE,
    }  # fmt: skip
    assert given.item_columns() == {"item_id": "sku", "name": "title"}
    assert given.users == {"user_id": "id", "age": "age", "post_code": "Post Code"}
    assert [rule.reason for rule in given.refuse] == ["a cancellation", "a return"]


def test_the_mapping_in_the_guide_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "guide" / "your-data.md"
    (block,) = re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    given = read(tmp_path, block)
    unsaid = {"format", "quote"}
    assert {name for name, value in given.file if value is None} == unsaid
    assert given.kinds["checkout.done"] is Kind.PURCHASE
    assert given.refuse[0].column == "invoice"
    assert given.users["age"] == "age"


def test_nothing_need_be_said(tmp_path: Path) -> None:
    assert read(tmp_path, "") == GivenMapping()
    assert GivenMapping().interaction_columns() == {}
    assert read(tmp_path, "\ufeff[users]\nage = 'a'").users == {"age": "a"}


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        ("[interaction]\nuser_id='a'", "interaction: there is no such key", "interactions"),
        ("[interactions]\nuserid='a'", "interactions.userid: there is no such key", "user_id"),
        ("[items]\ntitle='a'", "items.title: there is no such key", "image_url"),
        ("[file]\nsep=';'", "file.sep: there is no such key", "delimiter"),
        ("[[refuse]]\ncolumn='a'\nmatches='b'", "refuse.0.reason: Field required", ""),
        (
            "[[refuse]]\ncolumn='a'\nmatches='('\nreason='c'",
            "refuse.0.matches: not a regular expression",
            "",
        ),
        (
            "[[refuse]]\ncolumn='a'\nmatches='(?!x)'\nreason='c'",
            "refuse.0.matches: looking around",
            "",
        ),
        (
            "[[refuse]]\ncolumn='a'\nmatches='x'\nreason='c; d'",
            "refuse.0.reason: a reason may have no semicolon",
            "",
        ),
        ("[kinds]\nclick='looked'", "kinds.click: Input should be", "view, cart"),
        ("[kinds]\nclick=3", "kinds.click", ""),
        ("kinds = 3", "kinds: Input should be a valid dictionary", ""),
        ("[interactions]\nuser_id=3", "interactions.user_id: Input should be a valid string", ""),
        ("[interactions]\nuser_id=''", "interactions.user_id", ""),
        (
            "[interactions]\ntime_zone='Mars'",
            "interactions.time_zone: 'Mars' is no time zone",
            "",
        ),
        ("[interactions]\ntime_zone='/etc/passwd'", "interactions.time_zone", ""),
        ("[interactions]\nts_unit='days'", "interactions.ts_unit", ""),
        (
            "[interactions]\nts='a'\norder='b'",
            "interactions: ts and order cannot both be given",
            "",
        ),
        ("[file]\nencoding='utf-9'", "file.encoding: 'utf-9' is not an encoding", ""),
        ("[file]\nformat='xlsx'", "file.format: Input should be 'csv', 'tsv', 'jsonl'", ""),
        ("[users]\n'Post Code'='a'", "users: 'Post Code' must be small letters", ""),
        ("[users", "the mapping is not TOML", ""),
    ],
)
def test_each_mistake_names_the_file_and_the_key(
    tmp_path: Path, text: str, what: str, mend: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert caught.value.what.startswith(what)
    assert caught.value.where == str(tmp_path / "mapping.toml")
    assert mend in caught.value.mend


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file") as caught:
        read_mapping(tmp_path / "none.toml")
    assert caught.value.where == str(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not TOML"):
        read_mapping(tmp_path / "bytes.toml")


def test_pairs_say_the_same() -> None:
    given = mapping_of_pairs(
        {"user_id": "visitor", "kind": "cart", "item.name": "title", "user.age": "Age"}
    )
    assert given.interaction_columns() == {"user_id": "visitor", "kind": "cart"}
    assert given.item_columns() == {"name": "title"}
    assert given.users == {"age": "Age"}
    assert mapping_of_pairs({"order": "pos"}).interaction_columns() == {"order": "pos"}


def test_pairs_are_checked() -> None:
    with pytest.raises(SettingsError, match="'usr' is not a role"):
        mapping_of_pairs({"usr": "x"})
    with pytest.raises(SettingsError, match="ts and order") as caught:
        mapping_of_pairs({"ts": "a", "order": "b"})
    assert caught.value.where == "--map"
    with pytest.raises(SettingsError, match="users: 'A b' must be"):
        mapping_of_pairs({"user.A b": "x"})


def test_what_is_said_last_goes_before(tmp_path: Path) -> None:
    file = read(tmp_path, WHOLE)
    both = mapping_of_pairs({"item_id": "article", "item.brand": "maker"}).over(file)
    assert both.interactions.item_id == "article"
    assert (both.interactions.user_id, both.interactions.ts) == ("visitor", "when")
    assert both.item_columns() == {"item_id": "sku", "name": "title", "brand": "maker"}
    assert (both.kinds, both.users, both.refuse) == (file.kinds, file.users, file.refuse)
    assert GivenMapping().over(file) == file
    assert file.over(GivenMapping()) == file


def test_another_time_takes_its_unit_along(tmp_path: Path) -> None:
    file = read(tmp_path, WHOLE)
    both = mapping_of_pairs({"order": "pos"}).over(file).interactions
    assert (both.order, both.ts, both.ts_unit) == ("pos", None, None)
    both = mapping_of_pairs({"ts": "at"}).over(file).interactions
    assert (both.ts, both.ts_unit, both.time_zone) == ("at", None, "Europe/London")
