"""The `endcap` command: one thin verb a capability, no logic of its own."""

from endcap.cli.root import app, main

__all__ = ["app", "main"]
