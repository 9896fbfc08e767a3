"""Models of nearest neighbours: items by who took both, and sessions by what they hold."""
