"""What is not defined, in JSON: null where the numbers have NaN.

Reading it back is each record's own affair, as only a record knows where null means nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def without_nan(value: Any) -> Any:
    """Return the same JSON values with None for what is not a number, and lists for tuples."""
    if isinstance(value, Mapping):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
