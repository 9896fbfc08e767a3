"""Home-page recommendations for online shops: personal, live, measured."""

__version__ = "0.1.0"
