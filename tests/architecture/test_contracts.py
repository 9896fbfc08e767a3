"""Whatever can be chosen by name is held to the laws of its protocol."""

import re
from pathlib import Path

import pytest

from endcap.models.registry import MODELS
from endcap.stores.registry import BACK_ENDS

ROOT = Path(__file__).resolve().parents[2]
SUITES = {
    "models": ("test_models.py", {name: attribute for name, (_, attribute) in MODELS.items()}),
    "rows": ("test_rows.py", BACK_ENDS["rows"]),
    "events": ("test_event_log.py", BACK_ENDS["events"]),
    "cache": ("test_cache.py", BACK_ENDS["cache"]),
}


def class_name(target):
    """Return the class of a registry's entry: a name, or (module:name, extra)."""
    return target if isinstance(target, str) else target[0].partition(":")[2]


@pytest.mark.parametrize("kind", SUITES)
def test_every_implementation_runs_its_contract_suite(kind):
    file, implementations = SUITES[kind]
    text = (ROOT / "tests" / "contract" / file).read_text()
    tested = dict(re.findall(r"^class Test(\w+)\((.+)\):", text, re.MULTILINE))
    assert implementations
    missing = {class_name(target) for target in implementations.values()} - set(tested)
    assert not missing, f"{file} has no class for {sorted(missing)}"
    assert all("Contract" in suites for suites in tested.values())
