"""Regular expressions of the local engine (RE2) as ones that mean the same in Java.

Only what is known to mean the same is let through; everything else is refused when a rule is
written, not when it meets a value on which the engines differ.
"""

from __future__ import annotations

import re

from endcap.schema.errors import SettingsError

# Java 17 knows Unicode 13, the local engine 15: what was added in between stands here.
_CLASSES = {
    "Cc": r"\p{Cc}",
    "C": r"\p{Cc}\p{Cf}\p{Co}\x{890}\x{891}\x{13439}-\x{1343F}",
    "N": r"\p{N}\x{11F50}-\x{11F59}\x{16AC0}-\x{16AC9}\x{1D2C0}-\x{1D2D3}\x{1E4F0}-\x{1E4F9}",
    "Z": r"\p{Z}",
}
_SPACE = r"\t\n\f\r "  # Java's \s has the vertical tab as well
_WORD_EDGE = (  # Java 17's \b takes letters of all scripts for words
    "(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))"
)
_TOKENS = re.compile(
    r"""
      \\(?:[pP]\{(?P<unicode>\w+)\})            # \p{Z}
    | \\x(?:\{[0-9A-Fa-f]{1,6}\}|[0-9A-Fa-f]{2})
    | \\(?P<escape>.)
    | \[(?P<negated>\^?)                        # opens a class
    | (?P<group>\(\?(?!:).)                     # any group but a plain or a non-capturing one
    | \(\?: | [()|]
    | [*+?]\??
    | \{(?:\d+(?:,\d*)?)\}\??
    | (?P<lone>[{}\]])
    | [\^$.]
    | [^\\\[\](){}*+?|^$.]
    """,
    re.VERBOSE | re.DOTALL,
)
_SAME_ESCAPES = frozenset("dDwWtnfr")
_OWN = "A rule for both engines may use plain classes, groups and quantifiers only"


def java_pattern(pattern: str) -> str:
    r"""Return a Java pattern that matches what the RE2 pattern does, whatever the text.

    Raises:
        SettingsError: it holds what the engines do not share, such as `(?i)` or `\p{L}`.
    """
    parts, place, has_dot = [], 0, False
    while place < len(pattern):
        token = _TOKENS.match(pattern, place)
        if token is None:
            raise _refused(pattern, pattern[place:])
        place = token.end()
        text = token[0]
        if token["group"] or token["lone"]:
            raise _refused(pattern, text)
        if text.startswith("["):
            listed, place = _class(pattern, place)
            parts.append(f"[{token['negated']}{listed}]")
        elif text.startswith("\\"):
            parts.append(_escape(pattern, token))
        else:
            has_dot = has_dot or text == "."
            parts.append(r"\z" if text == "$" else text)  # Java's $ also stands before a last \n
    return ("(?d)" if has_dot else "") + "".join(parts)


def java_replacement(replacement: str) -> str:
    r"""Return the replacement with Java's `$1` instead of `\1`."""
    return re.sub(
        r"\\(\d)|\\\\|([$\\])",
        lambda found: f"${found[1]}" if found[1] else rf"\{found[0][-1]}",
        replacement,
    )


def may_be_empty(pattern: str) -> bool:
    """Return whether the pattern can match nothing; engines do not agree how often it then does."""
    plain = re.sub(r"\\x\{\w+\}|\\[pP]\{\w+\}", "x", java_pattern(pattern).removeprefix("(?d)"))
    found = re.compile(plain.replace(r"\z", r"\Z"))
    return any(match[0] == "" for text in ("", "x y") for match in found.finditer(text))


def _escape(pattern: str, token: re.Match[str]) -> str:
    text, letter = token[0], token["escape"]
    if token["unicode"]:
        listed = _unicode(pattern, token)
        return listed if text.startswith(r"\P") else f"[{listed}]"
    if letter is None or letter in _SAME_ESCAPES or not letter.isalnum():
        return text
    if letter == "s":
        return f"[{_SPACE}]"
    if letter == "b":
        return _WORD_EDGE
    raise _refused(pattern, text)


def _class(pattern: str, place: int) -> tuple[str, int]:
    """Return what stands between the brackets, and where the pattern goes on."""
    parts: list[str] = []
    while True:
        token = _TOKENS.match(pattern, place)
        if token is None or (not parts and pattern.startswith("]", place)):
            raise _refused(pattern, pattern[place:])
        if pattern.startswith("]", place):
            return "".join(parts), place + 1
        if pattern.startswith("[:", place):
            raise _refused(pattern, "[:")
        letter = token["escape"]
        if token["unicode"]:
            parts.append(_unicode(pattern, token))
        elif letter == "s":
            parts.append(_SPACE)
        elif letter == "b":
            raise _refused(pattern, token[0])
        elif token[0].startswith("\\"):
            parts.append(_escape(pattern, token))
        else:  # a plain character, of which Java gives some a meaning
            parts.append(re.sub(r"[\[&~]", r"\\\g<0>", pattern[place]))
            place += 1
            continue
        place = token.end()


def _unicode(pattern: str, token: re.Match[str]) -> str:
    listed = _CLASSES.get(token["unicode"])
    if token[0].startswith(r"\P"):
        # Exact only where both engines know the same members.
        listed = token[0] if token["unicode"] in {"Z", "Cc"} else None
    if listed is None:
        raise _refused(pattern, token[0])
    return listed


def _refused(pattern: str, what: str) -> SettingsError:
    return SettingsError(
        f"the engines do not share {what[:20]!r} in a pattern", where=pattern, mend=_OWN
    )
