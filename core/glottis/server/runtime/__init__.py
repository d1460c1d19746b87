"""The process itself: who holds up its event loop, its garbage, and what it has counted."""
