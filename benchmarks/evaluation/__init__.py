"""How fast lists are made and measured, against the bare product and RecTools, and at size."""

from benchmarks.evaluation.suite import run

__all__ = ["run"]
