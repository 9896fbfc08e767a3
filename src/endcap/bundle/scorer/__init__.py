"""What turns a history into ranked items, from the arrays of a bundle: small, pure, no training."""
