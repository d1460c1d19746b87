"""``make soak``: what one caller can do to others, and what time does to a gateway."""
