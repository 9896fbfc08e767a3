import io

import pytest
from rich.console import Console

from endcap import telemetry


@pytest.fixture
def shown(monkeypatch):
    """What a person without a terminal would read."""
    output = io.StringIO()
    monkeypatch.setattr(telemetry, "console", Console(file=output, soft_wrap=True))
    return output


def test_off_a_terminal_progress_is_lines_with_rate_and_time_left(shown, monkeypatch):
    monkeypatch.setattr(telemetry, "PLAIN_INTERVAL_S", -1.0)
    with telemetry.track("als", 4, unit="rows") as task:
        task.advance(1, note="loss 0.5")
        task.advance(3)
    first, second = shown.getvalue().splitlines()
    assert first.startswith("  als: 25%, ")
    assert "rows/s, about" in first
    assert first.endswith("loss 0.5")
    assert second.startswith("  als: 100%")


def test_short_work_off_a_terminal_says_nothing(shown):
    with telemetry.track("als", 2) as task:
        task.advance(2)
    assert shown.getvalue() == ""


def test_a_step_says_how_long_it_took_and_inner_ones_are_indented(shown):
    with telemetry.step("outer"), telemetry.step("inner"):
        pass
    lines = shown.getvalue().splitlines()
    assert lines == ["outer", "  inner", "    0.0 s", "  0.0 s"]


def test_a_step_that_fails_does_not_claim_to_have_ended(shown):
    def fail():
        with telemetry.step("outer"):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    with telemetry.step("next"):
        pass
    assert shown.getvalue().splitlines() == ["outer", "next", "  0.0 s"]


def test_on_a_terminal_it_is_a_bar(monkeypatch):
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    monkeypatch.setattr(telemetry, "console", console)
    with telemetry.track("two_tower", 10, unit="baskets") as task:
        task.advance(5, note="loss 6.1")
    assert "two_tower" in output.getvalue()


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (12, "12.0"), (1234, "1.2k"), (3.4e6, "3.4M"), (2e9, "2.0G")]
)
def test_rates_are_short(value, text):
    assert telemetry._short(value) == text
