"""Measurements that anyone can repeat: `make bench NAME=demo`, `make bench NAME=pages`."""
