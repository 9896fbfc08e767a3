"""Models that rank items for users: one model, one file; `registry` knows them by name.

Nothing here serves a request: `training` turns a fitted model into arrays for that.
"""
