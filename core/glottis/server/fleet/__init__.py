"""Several processes that are one gateway: a parent, and workers that each are a whole gateway of their own."""
