"""Aggregates and windows in Spark's SQL: one function a kind of expression."""

from __future__ import annotations

from sqlglot import exp

from endcap.ingest.compute.translation.duckdb_types import NUMBERS, WHOLE, Kind, kind_of
from endcap.ingest.compute.translation.nodes import (
    REAL,
    as_number,
    call,
    known,
    refuse,
    spark_cast,
)


def aggregated(node: exp.Expr) -> exp.Expr:
    """Check sum, avg, median and quantile_disc; `add_up` translates them with their OVER."""
    inner = node.this
    if isinstance(inner, exp.Distinct):
        raise refuse(node)
    kind = known(inner)
    if not isinstance(node, exp.PercentileDisc) and kind not in NUMBERS:
        raise refuse(node)
    if isinstance(node, exp.Avg) and kind is Kind.DECIMAL:
        raise refuse(node, mend="Cast it to DOUBLE")
    if isinstance(node, exp.PercentileDisc):
        share = node.expression
        if not isinstance(share, exp.Literal) or share.is_string or not 0 <= float(share.name) <= 1:
            raise refuse(node)
    return node


def add_up(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Return what is to be replaced by what: an aggregate with its FILTER and OVER.

    Whole numbers are added up exactly; a median holds all values of a group in memory.
    """
    outer = node
    while isinstance(outer.parent, (exp.Filter, exp.Window)) and outer.arg_key == "this":
        outer = outer.parent

    def around(inner: exp.Expr) -> exp.Expr:
        if outer is node:
            return inner
        shell = outer.copy()
        place = shell
        while not isinstance(place, type(node)):
            place = place.this
        place.replace(inner)
        return shell

    inner, kind = node.this, kind_of(node.this)
    if isinstance(node, (exp.Median, exp.PercentileDisc)):
        is_median = isinstance(node, exp.Median)
        value = as_number(inner.copy(), Kind.DOUBLE) if is_median else inner.copy()
        values = call("sort_array", around(call("collect_list", value)))
        return outer, call("endcap_middle", values) if is_median else _at_share(values, node)
    if kind in REAL:
        return outer, around(type(node)(this=as_number(inner.copy(), Kind.DOUBLE)))
    if kind is Kind.DECIMAL:
        return outer, outer
    wide = Kind.INT128 if kind in {Kind.BIGINT, Kind.INT128} else Kind.BIGINT
    added = around(exp.Sum(this=as_number(inner.copy(), wide)))
    if isinstance(node, exp.Sum):
        return outer, spark_cast(added, "DECIMAL(38, 0)")
    n_values = around(exp.Count(this=inner.copy()))
    return outer, exp.Paren(
        this=exp.Div(this=spark_cast(added, "DOUBLE"), expression=n_values, typed=True)
    )


def _at_share(values: exp.Expr, node: exp.Expr) -> exp.Expr:
    share = exp.Literal.number(f"{node.expression.name}BD")
    place = call("ceil", exp.Mul(this=call("size", values), expression=share))
    first = call("greatest", place, exp.Literal.number(1))
    before = exp.Sub(this=first, expression=exp.Literal.number(1))
    return call("get", values.copy(), spark_cast(before, "INT"))


def extreme(node: exp.Expr) -> exp.Expr:
    """Translate arg_max and arg_min, which pass over rows where either value is NULL."""
    name = "max_by" if isinstance(node, exp.ArgMax) else "min_by"
    if node.args.get("count") is not None:
        raise refuse(node)
    value, by = node.this, node.expression
    seen = exp.Is(this=value.copy(), expression=exp.Null()).not_()
    return call(name, value.copy(), exp.Case(ifs=[exp.If(this=seen, true=by.copy())]))


def window(node: exp.Expr) -> exp.Expr:
    """Translate OVER; numbering and looking back need an order."""
    ordered = node.args.get("order") is not None
    if isinstance(node.this, (exp.RowNumber, exp.Rank, exp.Lag)) and not ordered:
        raise refuse(node, mend="Say in what order")
    spec = node.args.get("spec")
    if spec is not None:
        if spec.args.get("kind") not in {"ROWS", "RANGE"} or spec.args.get("exclude"):
            raise refuse(node)
        if spec.args["kind"] == "RANGE":
            keys = node.args["order"].expressions if ordered else []
            bounds = (spec.args.get("start"), spec.args.get("end"))
            numbered = any(isinstance(bound, exp.Expr) for bound in bounds)
            if numbered and (len(keys) != 1 or known(keys[0].this) not in WHOLE):
                raise refuse(node, mend="A range goes over one column of whole numbers")
    if isinstance(node.this, (exp.IgnoreNulls, exp.RespectNulls)):
        raise refuse(node)
    return node
