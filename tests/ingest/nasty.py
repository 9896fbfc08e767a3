"""Values and files on which two engines like to differ."""

from __future__ import annotations

import random

TEXTS = (
    *(None, "", "a", "A b", " pad ", "\u00a0x\u3000", "h\u00e9llo", "\u03a3\u0391\u03a3"),
    *("\u0130stanbul", "\u00df", "a;b; c", ";", "[x]", "$1,234.50", "a\\b", 'a"b', "it's"),
    *("a%b_c", "\t\n", "x\u2028y", "x\r\ny", "\U0001f600 emoji", "e\u0301", "\x01", "\ufffd"),
    *("12", "3.5", "-7", "1e3", "nan", "-inf", "  9 ", "true", "No", "+4", "1_000", "2.5", "1d"),
    *("9223372036854775807", "9223372036854775808", "1e400", "0x1F", "007", "1.", ".5", "1e-3"),
    *("2020-02-30", "2020-02-29", "2020-01-02 03:04:05.123456789", "1969-12-31 23:59:59.5"),
    *("2021-10-31 01:30:00", "2021-03-28 01:30:00", "2020-12-31 24:00:00", "2020-1-2"),
    *("user-000123", "1234 AB Amsterdam, NL", "\u0660\u0661", "\u01c5", "\U000104a0"),
)
WHOLES = (None, 0, 1, -1, 7, -7, 2**31 - 1, -(2**31), 2**53 + 1, 2**62, -(2**62), 3_600_000_000)
SMALL = (None, 0, 1, -1, 2, 3, 100)
FRACTIONS = (
    *(None, 0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 2.675, 1.005, 1e15, -1e300, 1e-300, 1e39),
    *(float("inf"), float("-inf"), float("nan"), 123456.789, 0.49999999999999994),
    *(4503599627370497.5, 9.3e18, -9.223372036854775808e18),
)
FLOATS = tuple(v for v in FRACTIONS if v is None or not 1e38 < abs(v) < float("inf"))

JSON_LINES = [
    *('{"u":"a","v":1}', '{"u":"a","v":1.50}', '{"u":"a","v":1e3}', '{"u":"a","v":12345678.0}'),
    *('{"u":"a","v":0.0001}', '{"u":"a","v":1e400}', '{"u":"a","v":-0}', '{"u":"a","v":-0.0}'),
    *('{"u":"a","v":18446744073709551616}', '{"u":"a","v":true}', '{"u":"a","v":null}', "{}"),
    *('{"u":"a"}', '{"v":{"k": 1.0, "z":[1, 2 ,"\\u00e9"]},"u":"x"}', '{"u":"a","u":"b","v":1}'),
    *('{"u":"\\u00e9\\n\\t\\"","v":"\\/"}', '{"u":"\\ud83d\\ude00"}', '{"u":"\\ud800"}'),
    *('{"u":"a"} x', '{"u":"a"},{"u":"b"}', '{"u":"a"}],[{"u":"b"}', '{"u":"a",}', '{u:"a"}'),
    *("{'u':'a'}", '{"u":NaN}', '{"u":-Infinity}', '{"u":01}', "5", '"s"', "null", "[1]"),
    *('[{"u":"a"}]', "", "   ", "\t", '{"u":"a"}//c', '{"u":+1}', '{"u":.5}', '{"u":"\\x"}'),
    *('\ufeff{"u":"a"}', '  {"u":"a"}  ', '\u00a0{"u":"a"}', '{"u":tru}', '{"u":"a"', "not json"),
    *('{"u":"a\tb"}', '{"u":"x\u2028y"}', '{"U":"upper"}', '{"u":"","v":""}', '{"u":[]}'),
    *('{"u":"1E7","v":"1.0E10"}', '{"u":1E7}', '{"u":{"a":1e10,"b":"q\\"\\\\ / \\u0001"}}'),
    *('{"u":"a","v":1}\r', '{"u":1.7976931348623157e308}', '{"u":5e-324}', '{"u":8.41E21}'),
    *('{"u":2e23}', '{"u":123456.7890123456789}', '{"u":"a\\u0000b"}', '{"u":10.0,"v":"10.0"}'),
]

CSV_FILES = {
    "plain": "a,b\n1,2\n\n3,4\n,\n 1 , 2 \n1,2,\n",
    "wrong widths": "a,b\n1,2\n3\n4,5,6\n  \n7,8\n",
    "crlf": "a,b\r\n1,2\r\n\r\n3,4",
    "lone carriage returns": "a,b\r1,2\r3,4\r",
    "one column": "a\n1\n\n3\n",
    "byte order mark": "\ufeffa,b\n1,2\n",
    "no rows": "a,b\n",
    "quotes": '"a","b"\n"1,x",2\n"3 ""q"" x", "4"\n1"x,2\n"","5" \n"""",6\n#,\'\n',
    "a record of two lines": 'a,b\n"1\nx",2\n3,4\n',
    "text behind a quote": 'a,b\n"1"x,2\n3,4\n',
    "a quote that is not closed": 'a,b\n1,2\n"3,4\n5,6\n7,8\n',
    "semicolons": "a;b\n1,5;2\n\u00e9;'x'\n",
}


def rows(n: int) -> list[tuple[object, ...]]:
    """Return rows of (i, a, b, x, n, d, f, ok, g), the same on every call."""
    pick = random.Random(3).choice
    return [
        (
            *(i, pick(TEXTS), pick(TEXTS), pick(WHOLES), pick(SMALL), pick(FRACTIONS)),
            *(pick(FLOATS), pick((True, False, None)), pick((1, 2, 3))),
        )
        for i in range(n)
    ]


COLUMNS = {
    "i": "BIGINT",
    "a": "VARCHAR",
    "b": "VARCHAR",
    "x": "BIGINT",
    "n": "INTEGER",
    "d": "DOUBLE",
    "f": "FLOAT",
    "ok": "BOOLEAN",
    "g": "INTEGER",
}
