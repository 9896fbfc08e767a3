"""Lets `python -m endcap` do what `endcap` does."""

from endcap.cli import main

main()
