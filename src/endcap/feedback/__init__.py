"""Events in, live state out; and a note of every slate that was served."""
