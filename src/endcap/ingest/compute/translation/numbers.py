"""Casts, numbers, times and comparisons in Spark's SQL: one function a kind of expression."""

from __future__ import annotations

from sqlglot import exp

from endcap.ingest.compute.translation.duckdb_types import (
    NUMBERS,
    TEXT,
    TIMES,
    WHOLE,
    Kind,
    common,
    kind_of,
)
from endcap.ingest.compute.translation.nodes import (
    ADD_CAST,
    REAL,
    as_number,
    call,
    known,
    literal_count,
    literal_text,
    refuse,
    spark_cast,
    typed,
)

_TEXT_TO = {
    Kind.DOUBLE: "double",
    Kind.FLOAT: "float",
    Kind.INT128: "hugeint",
    Kind.BIGINT: "bigint",
    Kind.INT: "integer",
    Kind.SMALLINT: "smallint",
    Kind.UTINYINT: "utinyint",
    Kind.BOOLEAN: "boolean",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPNTZ: "timestamp",
    Kind.DATE: "date",
}


def written(node: exp.Expr) -> exp.Expr:
    """Return a value as text, where both engines write it in the same way."""
    kind = known(node)
    if kind in TEXT or kind in {Kind.NULL, Kind.JSON}:
        return node
    if kind in WHOLE or kind in {Kind.DECIMAL, Kind.DATE}:
        return typed(exp.Cast(this=node, to=exp.DataType.build("TEXT")), Kind.TEXT)
    raise refuse(
        node,
        what=f"{node.sql('duckdb')[:60]} as text",
        mend="Engines write times and fractions in several ways: cast to BIGINT before",
    )


def cast(node: exp.Cast) -> exp.Expr:
    """Translate CAST and TRY_CAST."""
    value, to, is_try = node.this, node.to.this, isinstance(node, exp.TryCast)
    kind = Kind.TEXT if isinstance(value, exp.Literal) and value.is_string else known(value)
    if to in TEXT:
        return written(value)
    if kind in TEXT:
        if to not in _TEXT_TO:
            raise refuse(node)
        return call(f"endcap_{'' if is_try else 'strict_'}{_TEXT_TO[to]}", value)
    if kind is Kind.NULL or kind is to:
        return _plain_cast(node, value, to)
    if kind not in NUMBERS or to not in NUMBERS or to in {Kind.UTINYINT, Kind.BOOLEAN}:
        raise refuse(node)
    if to in WHOLE and kind in REAL:
        value = typed(call("rint", as_number(value, Kind.DOUBLE)), Kind.DOUBLE)
    elif to in WHOLE and kind is Kind.DECIMAL:
        value = call("round", value, exp.Literal.number(0))
    elif to is Kind.FLOAT and kind is Kind.DOUBLE:
        return _narrowed(value, is_try=is_try)
    elif to is Kind.DECIMAL and kind in REAL:
        raise refuse(node, mend="Fractions become decimals in several ways: cast from text")
    return _plain_cast(node, value, to)


def _plain_cast(node: exp.Cast, value: exp.Expr, to: exp.DType) -> exp.Expr:
    target = node.to
    if to is Kind.INT128:
        target = exp.DataType.build("DECIMAL(38, 0)", dialect="spark")
    elif to is Kind.UTINYINT:
        target = exp.DataType.build("SMALLINT")
    if isinstance(node, exp.TryCast):
        return exp.TryCast(this=value.copy(), to=target.copy(), safe=True)
    return exp.Cast(this=value.copy(), to=target.copy())


def _narrowed(value: exp.Expr, *, is_try: bool) -> exp.Expr:
    # What is too large becomes infinite in Spark.
    return call("endcap_narrowed" if is_try else "endcap_strict_narrowed", value)


def arithmetic(node: exp.Binary) -> exp.Expr:
    """Translate + - * and unary minus: FLOAT stays FLOAT whatever it meets."""
    kinds = [known(node.left), known(node.right)]
    if Kind.DATE in kinds:
        if not isinstance(node, exp.Add) or kinds[1] not in WHOLE:
            raise refuse(node)
        return call("date_add", node.left.copy(), as_number(node.right.copy(), Kind.INT))
    if not set(kinds) <= {*NUMBERS, Kind.NULL}:
        raise refuse(node)
    kind = common(kinds)
    if kind in REAL:
        node.set("this", as_number(node.left.copy(), kind))
        node.set("expression", as_number(node.right.copy(), kind))
    return node


def divided(node: exp.Binary) -> exp.Expr:
    """Translate /, which gives infinity or NaN for a division by zero."""
    if not {known(node.left), known(node.right)} <= {*NUMBERS, Kind.NULL}:
        raise refuse(node)
    by, over = node.right, as_number(node.left.copy(), Kind.DOUBLE)
    while isinstance(by, exp.Paren):
        by = by.this
    under = as_number(by.copy(), Kind.DOUBLE)
    if isinstance(by, exp.Literal) and float(by.name) != 0:
        made: exp.Expr = exp.Paren(this=exp.Div(this=over, expression=under, typed=True))
    else:
        made = call("endcap_over", over, under)
    if kind_of(node) is Kind.FLOAT:
        made = exp.Cast(this=made, to=exp.DataType.build("FLOAT"))
    return made


def whole_division(node: exp.Binary) -> exp.Expr:
    """Translate // and %, of whole numbers only."""
    if not {known(node.left), known(node.right)} <= {*WHOLE, Kind.NULL}:
        raise refuse(node, mend="Only whole numbers can be divided so")
    return node


def compared(node: exp.Binary) -> exp.Expr:
    """Translate a comparison: with a FLOAT, other numbers but DOUBLE are rounded to FLOAT first."""
    kinds = [kind_of(node.left), kind_of(node.right)]
    kind = common(kinds)
    if kind is Kind.UNKNOWN and Kind.UNKNOWN not in kinds and kinds[0] is not kinds[1]:
        raise refuse(node, mend="Cast one side to the type of the other")
    if Kind.FLOAT in kinds and Kind.UNKNOWN in kinds:
        raise refuse(node, mend=ADD_CAST)
    if kind is Kind.FLOAT:
        node.set("this", as_number(node.left.copy(), kind))
        node.set("expression", as_number(node.right.copy(), kind))
    return node


def among(node: exp.Expr) -> exp.Expr:
    """Translate IN and BETWEEN."""
    if node.args.get("query") is not None and not _filters(node):
        raise refuse(node, mend="Use SEMI JOIN or ANTI JOIN")
    parts = [node.this, *node.expressions, *(node.args.get(n) for n in ("low", "high"))]
    kinds = [kind_of(part) for part in parts if part is not None]
    if Kind.FLOAT in kinds and set(kinds) != {Kind.FLOAT}:
        raise refuse(node, mend="Cast both sides to DOUBLE")
    if common(kinds) is Kind.UNKNOWN and Kind.UNKNOWN not in kinds:
        raise refuse(node, mend="Cast one side to the type of the other")
    return node


def _filters(node: exp.Expr) -> bool:
    """Return whether a condition only says which rows stay, so that NULL is the same as false."""
    below = node.parent
    is_negated = isinstance(below, exp.Not)
    below = below.parent if isinstance(below, exp.Not) else below
    through = (exp.And, exp.Paren) if is_negated else (exp.And, exp.Or, exp.Paren)
    while isinstance(below, through):
        below = below.parent
    return isinstance(below, exp.Where)


def alternatives(node: exp.Expr) -> exp.Expr:
    """Translate CASE, COALESCE, LEAST, GREATEST and NULLIF: all values become of one type."""
    kind = kind_of(node)
    if isinstance(node, exp.Case):
        holders = [(branch, "true") for branch in node.args["ifs"]]
        holders += [(node, "default")] if node.args.get("default") is not None else []
        for holder, name in holders:
            holder.set(name, _as(holder.args[name], kind))
    elif isinstance(node, exp.Nullif):
        compared(exp.EQ(this=node.this.copy(), expression=node.expression.copy()))
        if Kind.FLOAT in {kind_of(node.this), kind_of(node.expression)}:
            raise refuse(node, mend="Cast it to DOUBLE")
    else:
        node.set("this", _as(node.this, kind))
        node.set("expressions", [_as(part, kind) for part in node.expressions])
    return node


def _as(value: exp.Expr, kind: exp.DType) -> exp.Expr:
    own = kind_of(value)
    if own is Kind.UNKNOWN or own is Kind.NULL or kind is Kind.UNKNOWN:
        return value
    if kind in REAL:
        return as_number(value.copy(), kind)
    if own not in {*NUMBERS, *TEXT} and own is not kind:
        raise refuse(value)
    return value


def rounded(node: exp.Expr) -> exp.Expr:
    """Translate round and floor."""
    kind = known(node.this)
    digits = node.args.get("decimals")
    if kind in WHOLE:
        return as_number(node.this.copy(), Kind.DOUBLE) if isinstance(node, exp.Floor) else node
    if kind is Kind.DECIMAL and isinstance(node, exp.Round):
        return node
    if kind not in REAL:
        raise refuse(node)
    name = "endcap_floor" if isinstance(node, exp.Floor) else "endcap_round"
    value = as_number(node.this.copy(), Kind.DOUBLE)
    if digits is not None:
        scale = exp.Literal.number(f"{10 ** literal_count(digits, node, 0)}D")
        value = call(name, exp.Mul(this=exp.Paren(this=value), expression=scale))
        made: exp.Expr = exp.Paren(this=exp.Div(this=value, expression=scale.copy(), typed=True))
    else:
        made = call(name, value)
    return exp.Cast(this=made, to=exp.DataType.build("FLOAT")) if kind is Kind.FLOAT else made


def is_nan(node: exp.Expr) -> exp.Expr:
    """Translate isnan; of NULL it is NULL."""
    if known(node.this) not in REAL:
        raise refuse(node)
    number = spark_cast(node.this.copy(), "DOUBLE")
    return exp.Paren(this=exp.EQ(this=number, expression=call("double", exp.Literal.string("NaN"))))


def finite(node: exp.Expr) -> exp.Expr:
    """Translate isfinite."""
    (value,) = node.expressions
    if known(value) not in REAL:
        raise refuse(node)
    number = spark_cast(value.copy(), "DOUBLE")
    return exp.Paren(
        this=exp.LT(
            this=call("abs", number), expression=call("double", exp.Literal.string("Infinity"))
        )
    )


def epoch_us(node: exp.Expr) -> exp.Expr:
    """Translate epoch_us; a time without a zone is UTC."""
    (moment,) = node.expressions
    kind = known(moment)
    if kind not in {*TIMES, Kind.TIMESTAMPTZ}:
        raise refuse(node)
    return call("unix_micros", spark_cast(moment.copy(), "TIMESTAMP"))


def zoned(node: exp.Expr) -> exp.Expr:
    """Translate timezone: of an hour that a clock shows twice, the second is meant."""
    zone, moment = node.expressions
    if known(moment) not in TIMES:
        raise refuse(node)
    literal_text(zone, node)
    return call("endcap_utc", moment.copy(), zone.copy())
