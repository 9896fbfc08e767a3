"""How good ranked lists are: splits in time, metrics, rivals, intervals and the report.

Measures anything that answers `recommend`; knows no model.
"""
