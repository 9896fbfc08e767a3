"""How good our models are on public data, beside what others published of theirs."""
