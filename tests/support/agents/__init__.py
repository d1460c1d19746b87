"""Agents in files, whose folder Python looks through from then on: nothing else is in it."""
