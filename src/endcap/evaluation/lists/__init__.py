"""Lists: asked for, checked, without ties, and those that know nothing."""
