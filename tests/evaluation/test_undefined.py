"""What is not defined, in JSON."""

import json
import math

from endcap.evaluation.undefined import without_nan


def test_nan_becomes_null_at_any_depth_and_nothing_else_changes():
    found = without_nan({"a": (1, math.nan), "b": {"c": [None, 0.0, "nan", True, math.nan]}})
    assert found == {"a": [1, None], "b": {"c": [None, 0.0, "nan", True, None]}}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
