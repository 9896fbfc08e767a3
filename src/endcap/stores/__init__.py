"""Where rows, events and cached bytes live: one file a back end, chosen by URL.

The only room that talks to databases; open one with `endcap.stores.registry`.
"""
