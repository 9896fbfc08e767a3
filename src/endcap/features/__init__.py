"""The rules that turn interactions into numbers, written once for training and for serving.

Pure functions over numpy arrays; no model, no store and no clock lives here.
"""
