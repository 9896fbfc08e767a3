"""The type of every expression of a rule, as the local engine would have it.

The engines differ in what they make of mixed types, so `translate` has to know them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import TypeAnnotator, annotate_types
from sqlglot.schema import MappingSchema

Kind = exp.DType

TEXT = frozenset({Kind.TEXT, Kind.VARCHAR})
NARROW = (Kind.BOOLEAN, Kind.UTINYINT, Kind.SMALLINT, Kind.INT)
WHOLE = (*NARROW, Kind.BIGINT, Kind.INT128)
NUMBERS = (*WHOLE, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE)
"""Each goes into the next, where two meet."""

TIMES = frozenset({Kind.TIMESTAMP, Kind.TIMESTAMPNTZ})


def kind_of(node: exp.Expr) -> exp.DType:
    """Return the type of an annotated expression; UNKNOWN when it could not be told."""
    if isinstance(node, exp.Null):
        return Kind.NULL
    return node.type.this if node.type is not None else Kind.UNKNOWN


def common(kinds: list[exp.DType]) -> exp.DType:
    """Return the type that the local engine gives to values of several types."""
    met = {kind for kind in kinds if kind is not Kind.NULL}
    if len(met) <= 1:
        return met.pop() if met else Kind.NULL
    if met <= TEXT:
        return Kind.TEXT
    if met <= set(NUMBERS):
        return max(met, key=NUMBERS.index)
    return Kind.UNKNOWN


def annotate(tree: exp.Expr, schema: MappingSchema) -> exp.Expr:
    """Return the qualified query with a type on every expression.

    Args:
        tree: a query whose columns all name their table.
        schema: table -> column -> type.
    """
    return annotate_types(tree, schema=schema, expression_metadata=_METADATA, dialect="duckdb")


def _fixed(kind: exp.DType) -> dict[str, Any]:
    return {"returns": kind}


def _by(rule: Callable[[Any], exp.DType | exp.DataType | None]) -> dict[str, Any]:
    def annotator(annotating: TypeAnnotator, node: exp.Expr) -> exp.Expr:
        return annotating._set_type(node, rule(node))

    return {"annotator": annotator}


def _literal(node: exp.Literal) -> exp.DType:
    if node.is_string:
        return Kind.TEXT
    text = node.name.lower()
    if "e" in text:
        return Kind.DOUBLE
    if "." in text:
        return Kind.DECIMAL
    return Kind.INT if abs(int(text)) < 2**31 else Kind.BIGINT


def _arithmetic(node: exp.Binary) -> exp.DType:
    left, right = kind_of(node.left), kind_of(node.right)
    if Kind.DATE in (left, right):
        return Kind.DATE
    return common([left, right])


def _divided(node: exp.Div) -> exp.DType:
    found = common([kind_of(node.left), kind_of(node.right)])
    return found if found in {Kind.FLOAT, Kind.UNKNOWN} else Kind.DOUBLE


def _case(node: exp.Case) -> exp.DType:
    results = [branch.args["true"] for branch in node.args["ifs"]]
    if node.args.get("default") is not None:
        results.append(node.args["default"])
    return common([kind_of(result) for result in results])


def _all_of(node: exp.Expr) -> exp.DType:
    return common([kind_of(part) for part in (node.this, *node.expressions)])


def _same(node: exp.Expr) -> exp.DataType | None:
    found: exp.DataType | None = node.this.type
    return found


def _sum(node: exp.Sum) -> exp.DType:
    kind = kind_of(node.this)
    if kind in WHOLE:
        return Kind.INT128
    return Kind.DOUBLE if kind is Kind.FLOAT else kind


def _rounded(node: exp.Expr) -> exp.DType:
    kind = kind_of(node.this)
    if kind in WHOLE:
        return Kind.DOUBLE if isinstance(node, exp.Floor) else kind
    return kind


def _listed(node: exp.Array) -> exp.DataType:
    kinds = [kind_of(part) for part in node.expressions]
    return exp.DataType(this=Kind.ARRAY, expressions=[common(kinds).into_expr()], nested=True)


def _item(node: exp.Expr) -> exp.DataType | exp.DType:
    listed = node.this.type
    return listed.expressions[0] if listed is not None and listed.expressions else Kind.UNKNOWN


def _function(node: exp.Anonymous) -> exp.DType:
    return {
        "epoch_us": Kind.BIGINT,
        "timezone": Kind.TIMESTAMPTZ,
        "isfinite": Kind.BOOLEAN,
        "to_json": Kind.JSON,
    }.get(node.name.lower(), Kind.UNKNOWN)


_METADATA: dict[type[exp.Expr], dict[str, Any]] = {
    exp.Literal: _by(_literal),
    exp.Null: _fixed(Kind.NULL),
    exp.Boolean: _fixed(Kind.BOOLEAN),
    exp.Cast: _by(lambda node: node.to),
    exp.TryCast: _by(lambda node: node.to),
    exp.Anonymous: _by(_function),
    exp.Case: _by(_case),
    exp.Div: _by(_divided),
    exp.Sum: _by(_sum),
    exp.Round: _by(_rounded),
    exp.Floor: _by(_rounded),
    exp.Array: _by(_listed),
    exp.Explode: _by(_item),
    exp.Split: _by(lambda node: exp.DataType.build("VARCHAR[]", dialect="duckdb")),
    exp.Avg: _fixed(Kind.DOUBLE),
    exp.Median: _fixed(Kind.DOUBLE),
    **{node: _by(_arithmetic) for node in (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.IntDiv)},
    **{node: _by(_all_of) for node in (exp.Coalesce, exp.Least, exp.Greatest)},
    **{
        node: _by(_same)
        for node in (
            *(exp.Abs, exp.Neg, exp.Paren, exp.Alias, exp.Nullif, exp.Min, exp.Max, exp.ArgMax),
            *(exp.ArgMin, exp.Lag, exp.Window, exp.Filter, exp.PercentileDisc),
        )
    },
    **{
        node: _fixed(Kind.BOOLEAN)
        for node in (
            *(exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.EQ, exp.NEQ, exp.GT),
            *(exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.Exists),
            *(exp.RegexpLike, exp.Contains, exp.StartsWith, exp.ArrayContains, exp.IsNan),
        )
    },
    **{
        node: _fixed(Kind.TEXT)
        for node in (
            *(exp.Lower, exp.Left, exp.Right, exp.Substring, exp.Trim, exp.Pad, exp.MD5),
            *(exp.Concat, exp.ConcatWs, exp.DPipe, exp.RegexpReplace, exp.RegexpExtract),
            exp.Replace,
        )
    },
    **{node: _fixed(Kind.BIGINT) for node in (exp.Count, exp.RowNumber, exp.Rank)},
    **{node: _fixed(Kind.BIGINT) for node in (exp.Length, exp.StrPosition)},
    exp.Subquery: _by(
        lambda node: node.this.selects[0].type if len(node.this.selects) == 1 else None
    ),
}
