"""The lists of several models made into one."""
