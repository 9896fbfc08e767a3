"""The rules of an ingest, written once in the local engine's SQL, as SQL of Apache Spark.

An allow-list: what is not known to mean the same on both engines is refused when the rule is
translated. Which expression becomes what is in `translation.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from endcap.ingest.compute.translation.duckdb_types import annotate
from endcap.ingest.compute.translation.groups import add_up
from endcap.ingest.compute.translation.nodes import refuse
from endcap.ingest.compute.translation.vocabulary import TRANSLATED
from endcap.schema.errors import SettingsError

Tables = Mapping[str, Mapping[str, str]]
"""Table -> column -> type in the local engine's notation."""

_STRUCTURE = (
    *(exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered),
    *(exp.Limit, exp.Union, exp.Subquery, exp.With, exp.CTE, exp.Table, exp.TableAlias),
    *(exp.Distinct, exp.Column, exp.Identifier, exp.Star, exp.Alias, exp.Paren, exp.Tuple),
    *(exp.Literal, exp.Boolean, exp.Null, exp.And, exp.Or, exp.Not, exp.Is, exp.Exists, exp.If),
    *(exp.WindowSpec, exp.Filter, exp.DataType, exp.DataTypeParam, exp.Var, exp.PropertyEQ),
)
_ALLOWED_JOINS = {"", "LEFT", "SEMI", "ANTI", "INNER", "CROSS"}
_OWN_FUNCTIONS = "endcap_"


def translate(sql: str, tables: Tables | None = None) -> str:
    """Return the query in Spark's SQL, with the same meaning whatever the values are.

    Needs the functions of `translation.functions` in the session.

    Args:
        sql: one SELECT in the local engine's dialect.
        tables: what it may read. Without it, columns have no types, and what depends on types is
            refused unless it is cast.

    Raises:
        SettingsError: it is no SELECT, or it uses something that the engines do not share.
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        if not isinstance(tree, exp.Query):
            raise SettingsError("only a SELECT can be translated", where=sql[:80])
        if tables is None:
            return _translated(annotate(tree, MappingSchema(dialect="duckdb")), sql)
        schema = MappingSchema(
            {name: dict(columns) for name, columns in tables.items()}, dialect="duckdb"
        )
        tree = qualify(tree, schema=schema, dialect="duckdb", quote_identifiers=True)
        return _translated(annotate(tree, schema), sql)
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"the SQL is not understood: {reason}", where=_short(sql)) from error


def _translated(tree: exp.Expr, sql: str) -> str:
    try:
        for node in list(tree.walk()):
            _check(node)
        for node in reversed(list(tree.walk())):
            rule = TRANSLATED.get(type(node))
            if rule is None:
                continue
            made = rule(node)
            if made is not node:
                made.type = node.type
                if node is tree:
                    tree = made
                else:
                    node.replace(made)
        for node in list(tree.find_all(exp.Sum, exp.Avg, exp.Median, exp.PercentileDisc)):
            old, new = add_up(node)
            if new is not old:
                old.replace(new)
        _forgive(tree)
        for node in tree.find_all(exp.Order, exp.Join):
            _check_place(node)
    except SettingsError as error:
        raise SettingsError(error.what, where=_short(sql), mend=error.mend) from error
    return str(tree.sql(dialect="spark"))


def _check(node: exp.Expr) -> None:
    """Raise `SettingsError` if the node is not in the vocabulary."""
    if not isinstance(node, _STRUCTURE) and type(node) not in TRANSLATED:
        raise refuse(node)
    if isinstance(node, exp.Join):
        kinds = {node.side.upper(), node.kind.upper()}
        if not kinds <= _ALLOWED_JOINS or node.method:
            raise refuse(node)
    if isinstance(node, exp.Select):
        _check_select(node)
    if isinstance(node, exp.Union) and node.args.get("by_name"):
        raise refuse(node)
    if isinstance(node, exp.Group) and (node.args.get("all") or node.args.get("grouping_sets")):
        raise refuse(node, mend="Name the columns")


def _check_select(node: exp.Select) -> None:
    all_alike = all(isinstance(part.unalias(), exp.Literal) for part in node.selects)
    if node.args.get("limit") is not None and node.args.get("order") is None and not all_alike:
        raise refuse(node, what="LIMIT without ORDER BY", mend="Say which rows come first")
    if node.args.get("qualify") is not None or node.args.get("laterals"):
        raise refuse(node, what="QUALIFY", mend="Select from a subquery")
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        raise refuse(node, what="DISTINCT ON", mend="Number the rows with row_number()")


def _forgive(tree: exp.Expr) -> None:
    """Let a cast inside the argument of a function of ours give NULL instead of an error.

    Such an argument is evaluated for every row, also where a CASE around it would not look.
    """
    calls = [node for node in tree.find_all(exp.Anonymous) if node.name.startswith(_OWN_FUNCTIONS)]
    for argument in [part for call in calls for part in call.expressions]:
        for inner in list(argument.find_all(exp.Anonymous, exp.Cast)):
            if isinstance(inner, exp.Anonymous):
                inner.set("this", inner.name.replace("endcap_strict_", _OWN_FUNCTIONS))
            elif type(inner) is exp.Cast:
                inner.replace(exp.TryCast(this=inner.this, to=inner.to, safe=True))


def _check_place(node: exp.Expr) -> None:
    """Raise `SettingsError` for a function of ours where Spark allows none."""
    parts = [node.args["on"]] if isinstance(node, exp.Join) and node.args.get("on") else []
    if isinstance(node, exp.Order) and not isinstance(node.parent, exp.Window):
        parts = node.expressions
    for part in parts:
        for call in part.find_all(exp.Anonymous):
            if call.name.startswith(_OWN_FUNCTIONS):
                raise SettingsError(
                    f"{call.name.removeprefix(_OWN_FUNCTIONS)} cannot stand in ORDER BY or ON",
                    mend="Compute it as a column in a subquery",
                )


def _short(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= 200 else text[:199] + "…"
