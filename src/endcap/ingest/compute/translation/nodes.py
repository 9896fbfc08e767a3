"""What the rules of translation are made of: a call, a cast, a refusal.

Types are the local engine's, as `duckdb_types` tells them.
"""

from __future__ import annotations

from sqlglot import exp

from endcap.ingest.compute.translation.duckdb_types import TEXT, Kind, kind_of
from endcap.schema.errors import SettingsError

REAL = (Kind.FLOAT, Kind.DOUBLE)
ADD_CAST = "Cast it, or give the types of the tables"


def refuse(node: exp.Expr, *, what: str = "", mend: str = "") -> SettingsError:
    """Return the error that says that the engines do not share an expression."""
    shown = what or node.sql(dialect="duckdb")[:60]
    return SettingsError(f"not in the SQL that both engines share: {shown}", mend=mend)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return the call of a function of Spark, or of ours there."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def typed(node: exp.Expr, kind: exp.DType) -> exp.Expr:
    """Return a new expression with its type."""
    node.type = kind.into_expr()
    return node


def as_number(node: exp.Expr, kind: exp.DType) -> exp.Expr:
    """Return a number as another kind of number, in Spark; as it is when it is one already."""
    if kind_of(node) is kind:
        return node
    if kind is Kind.INT128:
        to = exp.DataType.build("DECIMAL(38, 0)", dialect="spark")
    else:
        to = exp.DataType.build(kind.value)
    return typed(exp.Cast(this=node, to=to), kind)


def spark_cast(node: exp.Expr, kind: str) -> exp.Expr:
    """Return the expression as a type of Spark."""
    return exp.Cast(this=node, to=exp.DataType.build(kind, dialect="spark"))


def known(node: exp.Expr) -> exp.DType:
    """Return the type of an expression; refuse it where that could not be told."""
    kind = kind_of(node)
    if kind is Kind.UNKNOWN:
        raise refuse(node, what=f"the type of {node.sql('duckdb')[:60]} is unknown", mend=ADD_CAST)
    return kind


def as_text(node: exp.Expr) -> exp.Expr:
    """Return an argument that has to be text."""
    kind = kind_of(node)
    if kind not in TEXT and kind not in {Kind.UNKNOWN, Kind.NULL}:
        raise refuse(node, mend="Cast it to VARCHAR")
    return node


def literal_text(node: exp.Expr, whole: exp.Expr) -> str:
    """Return a text that is written out; refuse the whole expression if it is not."""
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise refuse(whole, mend="Patterns and paths have to be written out")
    return str(node.name)


def literal_count(node: exp.Expr | None, whole: exp.Expr, least: int) -> int:
    """Return a number that is written out; refuse the whole expression if it is not."""
    if not isinstance(node, exp.Literal) or not node.is_int or int(node.name) < least:
        raise refuse(whole, mend=f"The number has to be written out, and be {least} or more")
    return int(node.name)
