"""Models that rank items for users; `registry` knows them by name.

A small model is one file, a larger one a room whose `model.py` is the model as others see it. What
they share lies beside the rooms: histories, ranking, reasons, state. `learning` trains networks.

Nothing here serves a request: `training` turns a fitted model into arrays for that.
"""
