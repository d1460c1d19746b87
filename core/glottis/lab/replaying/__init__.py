"""Calls that a gateway has kept run again: through these engines, with this agent, on virtual time."""
