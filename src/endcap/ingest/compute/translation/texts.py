"""Texts, patterns and lists in Spark's SQL: one function a kind of expression."""

from __future__ import annotations

from sqlglot import exp

from endcap.ingest.compute.translation.duckdb_types import TEXT, WHOLE, Kind, common, kind_of
from endcap.ingest.compute.translation.nodes import (
    ADD_CAST,
    as_text,
    call,
    known,
    literal_count,
    literal_text,
    refuse,
)
from endcap.ingest.compute.translation.numbers import written
from endcap.ingest.compute.translation.patterns import java_pattern, java_replacement, may_be_empty


def joined(node: exp.Binary) -> exp.Expr:
    """Translate || of two texts."""
    return exp.DPipe(
        this=written(node.left.copy()), expression=written(node.right.copy()), safe=True
    )


def joined_with(node: exp.Expr) -> exp.Expr:
    """Translate concat_ws and concat; NULL is left out by both engines in the first only."""
    parts = [written(part.copy()) for part in node.expressions]
    if not isinstance(node, exp.ConcatWs):
        parts = [call("coalesce", part, exp.Literal.string("")) for part in parts]
        return call("concat", *parts)
    return call("concat_ws", *parts)


def lower(node: exp.Expr) -> exp.Expr:
    """Translate lower."""
    return call("endcap_lower", as_text(node.this).copy())


def cut(node: exp.Expr) -> exp.Expr:
    """Translate left, right and substr from a place that is written out."""
    as_text(node.this)
    if isinstance(node, exp.Substring):
        literal_count(node.args.get("start"), node, 1)
        if node.args.get("length") is not None:
            literal_count(node.args["length"], node, 0)
    else:
        literal_count(node.expression, node, 0)
    return node


def trimmed(node: exp.Expr) -> exp.Expr:
    """Translate trim; without characters it takes all blanks of Unicode."""
    as_text(node.this)
    if node.args.get("position") is not None:
        raise refuse(node)
    listed = node.args.get("expression")
    blanks = "".join(map(chr, (32, 160, 5760, *range(8192, 8203), 8239, 8287, 12288)))
    chars = blanks if listed is None else literal_text(listed, node)
    return call("btrim", node.this.copy(), exp.Literal.string(chars))


def padded(node: exp.Expr) -> exp.Expr:
    """Translate lpad with a filling that is written out."""
    as_text(node.this)
    fill = node.args.get("fill_pattern")
    if not node.args.get("is_left") or fill is None or not literal_text(fill, node):
        raise refuse(node)
    literal_count(node.expression, node, 0)
    return call("lpad", node.this.copy(), node.expression.copy(), fill.copy())


def found(node: exp.Expr) -> exp.Expr:
    """Translate contains, strpos, starts_with, replace, length and md5 of text."""
    parts = [node.this, *(node.args.get(name) for name in ("expression", "substr"))]
    for part in parts:
        if part is not None:
            as_text(part)
    if isinstance(node, exp.Replace) and not literal_text(node.expression, node):
        raise refuse(node)
    return node


def like(node: exp.Expr) -> exp.Expr:
    """Translate LIKE with a pattern that is written out and holds no backslash."""
    as_text(node.this)
    if "\\" in literal_text(node.expression, node):
        raise refuse(node, mend="Use regexp_matches")
    return node


def matches(node: exp.Expr) -> exp.Expr:
    """Translate regexp_matches."""
    _plain_options(node)
    pattern = java_pattern(literal_text(node.expression, node))
    return exp.RegexpLike(this=as_text(node.this).copy(), expression=exp.Literal.string(pattern))


def extracted(node: exp.Expr) -> exp.Expr:
    """Translate regexp_extract with the number of a group."""
    _plain_options(node)
    group = node.args.get("group") or exp.Literal.number(0)
    literal_count(group, node, 0)
    pattern = exp.Literal.string(java_pattern(literal_text(node.expression, node)))
    return call("regexp_extract", as_text(node.this).copy(), pattern, group.copy())


def replaced(node: exp.Expr) -> exp.Expr:
    """Translate regexp_replace of all matches, or of the one that a pattern with ^ can have."""
    pattern = literal_text(node.expression, node)
    options = node.args.get("modifiers")
    is_global = options is not None and literal_text(options, node) == "g"
    is_only_one = options is None and pattern.startswith("^") and "|" not in pattern
    if not is_global and not is_only_one:
        raise refuse(node, mend="Replace all matches: add 'g'")
    if may_be_empty(pattern):
        raise refuse(node, mend="The pattern must not match nothing")
    by = java_replacement(literal_text(node.args["replacement"], node))
    parts = (exp.Literal.string(java_pattern(pattern)), exp.Literal.string(by))
    return call("regexp_replace", as_text(node.this).copy(), *parts)


def _plain_options(node: exp.Expr) -> None:
    given = ("flag", "parameters", "position", "occurrence")
    if any(node.args.get(name) is not None for name in given):
        raise refuse(node, mend="Options of a pattern are not shared")


def split(node: exp.Expr) -> exp.Expr:
    """Translate string_split by a text that is written out."""
    mark = literal_text(node.expression, node)
    if not mark:
        raise refuse(node)
    quoted = "".join(c if c.isalnum() or c == " " else f"\\{c}" for c in mark)
    return call("split", as_text(node.this).copy(), exp.Literal.string(quoted))


def listed(node: exp.Expr) -> exp.Expr:
    """Translate [a, b]."""
    if kind_of(node.type.expressions[0]) is Kind.UNKNOWN if node.type else True:
        kinds = [kind_of(part) for part in node.expressions]
        if common(kinds) is Kind.UNKNOWN:
            raise refuse(node, mend=ADD_CAST)
    return call("array", *(part.copy() for part in node.expressions))


def list_contains(node: exp.Expr) -> exp.Expr:
    """Translate list_contains: a list without the value but with a NULL does not contain it."""
    value = node.expression
    has = call("array_contains", node.this.copy(), value.copy())
    return exp.Case(
        ifs=[
            exp.If(
                this=exp.and_(
                    exp.Is(this=node.this.copy(), expression=exp.Null()).not_(),
                    exp.Is(this=value.copy(), expression=exp.Null()).not_(),
                ),
                true=call("coalesce", has, exp.false()),
            )
        ]
    )


def as_json(node: exp.Expr) -> exp.Expr:
    """Translate to_json({'name': value, …}) of texts, whole numbers and truth values."""
    struct = node.expressions[0] if len(node.expressions) == 1 else None
    if not isinstance(struct, exp.Struct):
        raise refuse(node, mend="Write the names and values out: to_json({'name': value})")
    parts: list[exp.Expr] = []
    for pair in struct.expressions:
        kind = known(pair.expression)
        if kind not in TEXT and kind not in {*WHOLE, Kind.NULL}:
            raise refuse(pair, mend="Cast it to VARCHAR or BIGINT")
        parts += [exp.Literal.string(pair.this.name), pair.expression.copy()]
    options = call("map", exp.Literal.string("ignoreNullFields"), exp.Literal.string("false"))
    return call("to_json", call("named_struct", *parts), options)
