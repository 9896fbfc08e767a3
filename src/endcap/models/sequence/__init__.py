"""A transformer of what a user had, in order: what comes next."""
