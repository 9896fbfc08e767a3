"""Back ends for bytes that may be lost; each is a `Cache` of `schema/protocols.py`.

Independent of each other: open one by URL with `registry.open_cache`.
"""
