"""Back ends for rows that must not be lost; each is a `Store` of `schema/protocols.py`.

Independent of each other: open one by URL with `registry.open_store`.
"""
