from __future__ import annotations

import ast
import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.ingest.convert import CONVERTERS
from endcap.ingest.convert.amazon_meta import flatten
from endcap.ingest.convert.literals import MAX_SLOW_BYTES, parse_object


def convert(name: str, *lines: bytes) -> list[bytes]:
    return list(CONVERTERS[name](iter(lines)))


def literal(text: str) -> Any:
    (line,) = convert("literals", text.encode())
    return json.loads(line)


@pytest.mark.parametrize(
    "text",
    [
        "{'a': 'plain', 'n': 3.17, 'l': ['x', 'y'], 'd': {'k': []}}",
        """{'a': "it's", 'b': 'x'}""",
        """{'a': 'say "hi"', 'b': "it's"}""",
        r"""{'a': 'both \' and "', 'b': 'back\\slash', 'c': 'end\\'}""",
        r"""{'a': 'quote \\" inside', 'b': 'x'}""",
        r"""{'a': 'tab\t newline\n e\xe9 \u00e9', 'b': "it's \x41"}""",
        r"""{'a': 'a\/b', 'b': "it's \d"}""",
        "{'a': None, 'b': True, 'c': [False], 'd': 'None of True', 'e': 'x'}",
        """{'a': None, 'b': "it's None", 'c': 'True "x" False'}""",
        "{'a': (1, 2), 'b': -1.5e3, 'c': 0x10, 'd': 1_000, 'e': 'x' 'y',}",
        "{'a': u'old', 'b': r'raw'}",
        "{'a': '{[(', 'b': ')]}'}",
        "{'empty': '', \"empty2\": \"\", 'l': [], 'd': {}}",
        "{'ä': '日本 😀'}",
    ],
)
def test_literals_become_what_python_reads(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown escapes
        expected = json.loads(json.dumps(ast.literal_eval(text)))
    assert literal(text) == expected


texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_the_repr_of_any_record_is_read_back(record: dict[str, Any]) -> None:
    if "inf" in repr(record):
        return  # no literal
    assert literal(repr(record)) == json.loads(json.dumps(record))


@given(st.binary(max_size=200).filter(lambda line: b"\n" not in line and b"\r" not in line))
def test_any_bytes_come_out_as_one_line(line: bytes) -> None:
    for name in CONVERTERS:
        (out,) = convert(name, line + b"\n")
        assert b"\n" not in out


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"   ",
        b"oops",
        b"[1, 2]",
        b"'text'",
        b"{'a': 1",
        b"{'a': 1} {'b': 2}",
        b"{'a': {1, 2}}",
        b"{'a': b'bytes'}",
        b"{'a': 1j}",
        b"{1: 'key'}",
        b"{'a': __import__('os').getcwd()}",
        b"{'a': open}",
        b"{**{'a': 1}}",
        b"{'a': '\xff\xfe'}",
        b"{'a': 1 + 1}",
        b"{" * 5000,
        b"{'a': " * 3000 + b"1" + b"}" * 3000,
        b"{'a': " + b"[" * 200 + b"]" * 200 + b", 'b': (1,)}",
        b"{'a': " + b"-" * 5000 + b"1}",
        b"{'a': 'x\0y', 'b': (1,)}",
    ],
)
def test_what_is_no_record_stays_as_it_is(line: bytes) -> None:
    assert convert("literals", line + b"\r\n") == [line]
    assert convert("amazon_meta", line) == [line]


def test_a_long_line_is_only_read_the_quick_way() -> None:
    long = "x" * MAX_SLOW_BYTES
    assert literal(f"{{'a': '{long}'}}")["a"] == long
    slow = f"{{'a': ('{long}',)}}".encode()
    assert convert("literals", slow) == [slow]


def test_lines_keep_their_places() -> None:
    lines = [b"{'a': 1}\n", b"oops\n", b'{"b": 2}\r\n', b"\n", b"{'c': 3}"]
    assert convert("literals", *lines) == [b'{"a":1}', b"oops", b'{"b": 2}', b"", b'{"c":3}']


def test_json_with_nan_and_big_numbers_is_read() -> None:
    assert literal('{"a": NaN, "b": -Infinity}') == {"a": None, "b": None}
    assert literal("{'a': 123456789012345678901234567890}")["a"] == 123456789012345678901234567890
    assert parse_object(rb"{'a': '\ud800', 'b': (1,)}") is not None
    (line,) = convert("literals", rb"{'a': '\ud800', 'b': (1,)}")
    line.decode("ascii")


def test_metadata_of_2014() -> None:
    (line,) = convert(
        "amazon_meta",
        b"{'asin': '0123456789', 'title': \"Girl's &amp; Boy's  Hat\", 'price': 3.17,"
        b" 'imUrl': 'http://x/1.jpg', 'brand': '', 'description': 'Warm.',"
        b" 'related': {'also_bought': ['B1', 'B2'], 'buy_after_viewing': ['B3']},"
        b" 'categories': [['Clothing, Shoes & Jewelry', 'Girls', 'Hats'], ['Sports', 'Caps']]}",
    )
    assert json.loads(line) == {
        "asin": "0123456789", "parent_asin": None, "title": "Girl's & Boy's Hat",
        "department": "Clothing, Shoes & Jewelry", "category": "Hats", "brand": None,
        "price": 3.17, "currency": "USD", "image": "http://x/1.jpg", "description": "Warm.",
        "also_bought": ["B1", "B2"], "also_viewed": None, "also_buy": None, "also_view": None,
        "bought_together": None, "buy_after_viewing": ["B3"],
    }  # fmt: skip


def test_metadata_of_2018() -> None:
    flat = flatten({
        "asin": "B1", "title": "Hat", "brand": "Visit Amazon's Jo Doe Page",
        "price": "$5.00 - $9.99",
        "category": ["Clothing", "Hats", "</span></span>"], "description": ["Warm.", "Soft."],
        "main_cat": '<img src="x" alt="AMAZON FASHION"/>', "also_buy": ["B2"], "also_view": [],
        "imageURLHighRes": ["http://x/1.jpg", "http://x/2.jpg"], "imageURL": ["http://x/s.jpg"],
    })  # fmt: skip
    assert (flat["department"], flat["category"]) == ("Clothing", "Hats")
    assert (flat["brand"], flat["price"], flat["description"]) == ("Jo Doe", 5.0, "Warm. Soft.")
    assert (flat["image"], flat["also_buy"]) == ("http://x/1.jpg", ["B2"])
    flat = flatten({"asin": "B1", "title": "var aPageStart = (new Date()).getTime();",
                    "category": [], "main_cat": '<img alt="AMAZON FASHION"/>',
                    "brand": "by\n    \n    Acme", "imageURL": []})  # fmt: skip
    assert (flat["title"], flat["department"], flat["category"]) == (None, "Amazon fashion", None)
    assert (flat["brand"], flat["image"]) == ("Acme", None)


def test_metadata_of_2023() -> None:
    product = {
        "parent_asin": "B1", "title": "Comb", "main_category": "All Beauty", "categories": [],
        "store": "Acme", "price": 9.5, "details": {"Brand": "Other"}, "description": [],
        "images": [{"thumb": "t", "large": "l", "hi_res": None, "variant": "MAIN"}],
    }  # fmt: skip
    flat = flatten(product)
    assert (flat["asin"], flat["parent_asin"], flat["image"]) == (None, "B1", "l")
    assert (flat["department"], flat["category"], flat["brand"]) == ("All Beauty", None, "Acme")
    assert flat["description"] is None
    columns = {"hi_res": [None, "h2"], "large": ["l1", "l2"], "thumb": ["t1", "t2"]}
    flat = flatten({**product, "store": None, "images": columns})
    assert (flat["brand"], flat["image"]) == ("Other", "l1")


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("$12.99", 12.99),
        ("$1,234.50", 1234.5),
        ("$5.00 - $9.99", 5.0),
        ("from 14.99", 14.99),
        (" 7 ", 7.0),
        ("US$3", 3.0),
        (3, 3.0),
        (0.0, 0.0),
        ("", None),
        ("—", None),
        (None, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        ("$", None),
        ("Currently unavailable", None),
        (".a-box-inner{background-color:#fff}#alohaBuyBoxWidget .selected{color:#333}", None),
        ("$5.00 each", None),
        ([9.99], None),
    ],
)
def test_prices(price: object, expected: float | None) -> None:
    flat = flatten({"asin": "B1", "price": price})
    assert flat["price"] == expected
    assert flat["currency"] == ("USD" if expected is not None else None)


@pytest.mark.parametrize(
    "product",
    [
        {"categories": "Toys"},
        {"categories": [[]], "category": None},
        {"categories": [[None, 3]], "related": [], "images": [None], "details": "Brand"},
        {"images": {"hi_res": None, "large": 3}, "title": {"x": 1}, "brand": ["A", "B"]},
        {"asin": 123456789},
    ],
)
def test_odd_values_do_no_harm(product: dict[str, Any]) -> None:
    flat = flatten(product)
    assert json.loads(json.dumps(flat)).keys() == flatten({}).keys()
