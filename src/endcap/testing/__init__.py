"""Suites and small worlds to test a back end, a model or a server against, for third parties too.

Imports no other room than schema: what is tested comes in as an argument. The suites need pytest
and pytest-asyncio, which a plain install does not bring.
"""

import sys
from pkgutil import iter_modules

if "pytest" in sys.modules:
    import pytest

    # Before they are imported: else a failing assert in a suite shows no values.
    for _module in iter_modules(__path__):
        pytest.register_assert_rewrite(f"{__name__}.{_module.name}")
