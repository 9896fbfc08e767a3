"""Suites and small worlds to test a back end, a model or a server against, for third parties too.

Imports no other room than schema: what is tested comes in as an argument.
"""
