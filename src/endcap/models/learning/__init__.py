"""How all our networks are trained: loop, checkpoints, and the loss over a catalogue."""
