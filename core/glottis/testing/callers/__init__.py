"""Callers who follow a script, and try an agent over the real engines on a virtual network and virtual time."""
