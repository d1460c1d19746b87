"""A gateway that loses its power at random moments: whether it starts again, answers, and can read its files."""
