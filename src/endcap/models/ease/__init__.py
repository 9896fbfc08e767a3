"""EASE: what items say for those that come after them, in closed form."""
