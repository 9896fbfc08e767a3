"""Which function translates which kind of expression: the vocabulary of rules for both engines.

Whatever does not stand here and is no plain structure is refused by `translate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from endcap.ingest.compute.translation import groups, numbers, texts
from endcap.ingest.compute.translation.nodes import refuse

Rule = Callable[[Any], exp.Expr]

_FUNCTIONS: dict[str, Rule] = {
    "epoch_us": numbers.epoch_us,
    "timezone": numbers.zoned,
    "isfinite": numbers.finite,
    "to_json": texts.as_json,
}
"""Functions that the parser has no class for."""


def function(node: exp.Expr) -> exp.Expr:
    """Translate the functions that sqlglot knows no class of."""
    rule = _FUNCTIONS.get(node.name.lower())
    if rule is None:
        raise refuse(node)
    return rule(node)


def unchanged(node: exp.Expr) -> exp.Expr:
    """Translate what both engines write and mean in the same way."""
    return node


TRANSLATED: dict[type[exp.Expr], Rule] = {
    exp.Cast: numbers.cast,
    exp.TryCast: numbers.cast,
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul), numbers.arithmetic),
    exp.Div: numbers.divided,
    **dict.fromkeys((exp.IntDiv, exp.Mod), numbers.whole_division),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), numbers.compared),
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ), numbers.compared),
    **dict.fromkeys((exp.In, exp.Between), numbers.among),
    **dict.fromkeys(
        (exp.Case, exp.Coalesce, exp.Least, exp.Greatest, exp.Nullif), numbers.alternatives
    ),
    exp.DPipe: texts.joined,
    **dict.fromkeys((exp.Concat, exp.ConcatWs), texts.joined_with),
    exp.Lower: texts.lower,
    **dict.fromkeys((exp.Left, exp.Right, exp.Substring), texts.cut),
    exp.Trim: texts.trimmed,
    exp.Pad: texts.padded,
    **dict.fromkeys((exp.Contains, exp.StrPosition, exp.StartsWith, exp.Replace), texts.found),
    **dict.fromkeys((exp.Length, exp.MD5), texts.found),
    exp.Like: texts.like,
    exp.RegexpLike: texts.matches,
    exp.RegexpExtract: texts.extracted,
    exp.RegexpReplace: texts.replaced,
    exp.Split: texts.split,
    exp.Array: texts.listed,
    exp.ArrayContains: texts.list_contains,
    **dict.fromkeys((exp.Round, exp.Floor), numbers.rounded),
    **dict.fromkeys((exp.Sum, exp.Avg, exp.Median, exp.PercentileDisc), groups.aggregated),
    **dict.fromkeys((exp.ArgMax, exp.ArgMin), groups.extreme),
    exp.Window: groups.window,
    exp.Anonymous: function,
    exp.IsNan: numbers.is_nan,
    **dict.fromkeys((exp.Count, exp.Min, exp.Max, exp.RowNumber, exp.Rank, exp.Lag), unchanged),
    **dict.fromkeys((exp.Abs, exp.Neg, exp.Explode, exp.Struct), unchanged),
}
