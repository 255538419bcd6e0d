"""Models from nothing: architectures, and tokenizers learned from the training rows."""
