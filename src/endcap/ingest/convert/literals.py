"""Lines of Python literals as lines of JSON: the loose form of the metadata of 2014.

Nothing is ever executed: a line is either read as literals or left as it is.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

import orjson

MAX_SLOW_BYTES = 2**20
MAX_DEPTH = 100

# What is the same in JSON but for the quotation marks, in one piece; then strings that are not.
TOKEN = re.compile(
    rb"(?P<easy>(?:[^\"'\\]++|'[^'\"\\]*+')++)"
    rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+"'
    rb"|(?P<single>'[^'\\]*+(?:\\.[^'\\]*+)*+')"
)
WORD = re.compile(rb"'[^']*+'|\b(?:None|True|False)\b")
WORDS = {b"None": b"null", b"True": b"true", b"False": b"false"}
# Beyond 64 bits orjson makes a float of a number. Looking for 19 digits is quick if all are alike.
ZEROS = bytes.maketrans(b"123456789", b"000000000")
BIG_NUMBER = b"0" * 19
ESCAPE = re.compile(rb'\\.|"')
ESCAPES = {b'"': b'\\"', b"\\'": b"'"}


def convert(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield each line as a JSON object, or as it is if it is JSON already or neither."""
    for line in lines:
        text = line.rstrip(b"\r\n")
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            record = parse_object(text)
            yield text if record is None else dump(record, instead=text)
        else:
            yield text


def parse_object(text: bytes) -> dict[str, Any] | None:
    """Return the object that a line of JSON or of Python literals is; None for anything else.

    Cost: a tier is only tried where the one before fails: JSON; quotes turned round, for the plain
    literals that most lines are; a parse of the literal, which is some ten times slower.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        if text.lstrip()[:1] != b"{":
            return None
        found = _turn_quotes(text)
        if found is None:
            found = _parse_json(text)
        if found is None:
            found = _parse_literal(text)
    return found if isinstance(found, dict) else None


def dump(record: dict[str, Any], *, instead: bytes) -> bytes:
    """Return an object as one line of JSON, or `instead` if it is nested too deep for that."""
    try:
        return orjson.dumps(record)
    except (TypeError, ValueError):  # numbers beyond 64 bits, lone surrogates, deep nesting
        pass
    try:
        return json.dumps(record).encode()
    except RecursionError:
        return instead


def _parse_json(text: bytes) -> Any:
    """Return the value of JSON with the NaN and Infinity that many tools write."""
    if b"NaN" not in text and b"Infinity" not in text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _turn_quotes(text: bytes) -> Any:
    """Return the value of literals whose strings have no escape that JSON reads in another way."""
    if b"\\/" in text or BIG_NUMBER in text.translate(ZEROS):
        return None
    try:
        return orjson.loads(TOKEN.sub(_as_json, text))
    except orjson.JSONDecodeError:
        return None


def _as_json(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if match["easy"] is not None:
        if b"None" in token or b"True" in token or b"False" in token:
            token = WORD.sub(lambda word: WORDS.get(word[0], word[0]), token)
        return token.replace(b"'", b'"')
    if match["single"] is None:
        return token
    return b'"' + ESCAPE.sub(lambda found: ESCAPES.get(found[0], found[0]), token[1:-1]) + b'"'


def _parse_literal(text: bytes) -> Any:
    """Return the value of any Python literal; None for what is none, too long or too deep."""
    if len(text) > MAX_SLOW_BYTES or _depth(text) > MAX_DEPTH:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unknown escape such as \d is a backslash and a d
            value = ast.literal_eval(text.decode().strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None
    return value if _is_json(value) else None


def _depth(text: bytes) -> int:
    """Return how deep brackets stand in each other, those inside of strings counted too."""
    if text.count(b"[") + text.count(b"{") + text.count(b"(") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for byte in re.findall(rb"[\[\](){}]", text):
        depth += 1 if byte in b"[({" else -1
        deepest = max(deepest, depth)
    return deepest


def _is_json(value: object) -> bool:
    """Return whether a literal has a form in JSON; sets, bytes and complex numbers have none."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_json, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float | bool)
