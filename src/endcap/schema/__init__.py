"""What every room agrees on: types, columns, events, protocols and errors.

Depends on numpy and the standard library only.
"""
