"""Lines of text made many at a time: fields at fixed places in a sheet of bytes.

A field that is shorter than its place ends in NUL bytes, which are left out at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from endcap.simulate.scramble import Words

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = np.frombuffer("".join(a + b for a in DIGITS for b in DIGITS).encode(), dtype=np.uint16)
_FOURS = np.frombuffer("".join(f"{n:04d}" for n in range(10_000)).encode(), dtype=np.uint32)
_BASE = 36


class Layout:
    """Where each field of a line stands, between texts that are the same in every line.

    The parts are texts, or pairs of a field's name and its width in bytes.
    """

    def __init__(self, *parts: bytes | tuple[str, int]) -> None:
        self._places: dict[str, slice] = {}
        template = bytearray()
        for part in parts:
            if isinstance(part, bytes):
                template += part
                continue
            name, width = part
            self._places[name] = slice(len(template), len(template) + width)
            template += bytes(width)
        self._template = template
        self.width = len(template)

    def sheet(self, n_lines: int) -> Sheet:
        """Return so many lines with empty fields."""
        cells = np.frombuffer(self._template * n_lines, dtype=np.uint8)
        return Sheet(cells.reshape(n_lines, self.width), self._places)


class Sheet:
    """Lines whose fields are filled in, a whole column at a time."""

    def __init__(self, cells: Bytes, places: dict[str, slice]) -> None:
        self._cells, self._places = cells, places

    def number(self, name: str, values: np.ndarray[Any, Any], *, fill: bytes = b"\0") -> None:
        """Fill a field with whole numbers from 0, without leading zeros."""
        field = self._field(name)
        width = field.shape[1]
        _put_digits(field, values)
        for place in range(width - 1):
            short = values < 10 ** (width - 1 - place)
            if short.any():
                field[short, place] = fill[0]

    def padded_number(self, name: str, values: np.ndarray[Any, Any]) -> None:
        """Fill a field with whole numbers from 0, with leading zeros."""
        _put_digits(self._field(name), values)

    def code(self, name: str, values: Words) -> None:
        """Fill a field of an even width with numbers in base 36; all its characters are used."""
        field = self._field(name)
        for place in range(field.shape[1] - 2, -1, -2):
            higher = values // np.uint64(_BASE**2)
            pair = (values - higher * np.uint64(_BASE**2)).astype(np.int64)
            field[:, place : place + 2].view(np.uint16)[:, 0] = _PAIRS[pair]
            values = higher

    def choice(self, name: str, texts: Bytes, chosen: np.ndarray[Any, Any]) -> None:
        """Fill a field with texts chosen from rows made by `choices`, of at most its width."""
        self._field(name)[:, : texts.shape[1]] = texts[chosen]

    def blank(self, name: str, rows: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """Empty a field in the rows of a mask."""
        self._field(name)[rows] = 0

    def encoded(self) -> bytes:
        """Return all lines, without the unused bytes of their fields."""
        return self._cells.tobytes().translate(None, delete=b"\0")

    def rows(self) -> list[bytes]:
        """Return each line; only for layouts whose fields are always full."""
        lines: list[bytes] = self._cells.view(f"S{self._cells.shape[1]}").ravel().tolist()
        return lines

    def _field(self, name: str) -> Bytes:
        return self._cells[:, self._places[name]]


def choices(texts: list[bytes]) -> Bytes:
    """Return the texts as rows of equal width, for `Sheet.choice`."""
    width = max(len(text) for text in texts)
    rows = b"".join(text.ljust(width, b"\0") for text in texts)
    return np.frombuffer(rows, dtype=np.uint8).reshape(len(texts), width)


def woven(columns: list[list[bytes]]) -> bytes:
    """Return the first of each column, then the second of each, and so on, as one text."""
    pieces = [b""] * (len(columns) * len(columns[0]))
    for n, column in enumerate(columns):
        pieces[n :: len(columns)] = column
    return b"".join(pieces)


def _put_digits(field: Bytes, values: np.ndarray[Any, Any]) -> None:
    """Write the last digits of the values, right-aligned."""
    rest = values.astype(np.uint64)
    at = field.shape[1]
    while at > 0:
        higher = rest // np.uint64(10_000)
        four = _FOURS[(rest - higher * np.uint64(10_000)).astype(np.int64)]
        begin = max(0, at - 4)
        if at - begin == 4:
            field[:, begin:at].view(np.uint32)[:, 0] = four
        else:
            field[:, begin:at] = four.view(np.uint8).reshape(-1, 4)[:, 4 - (at - begin) :]
        rest, at = higher, begin
