"""Parts of the users and of the targets, measured alone."""
