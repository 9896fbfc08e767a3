"""Whether one model beats another, and whether it may go live."""
