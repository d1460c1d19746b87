"""Plugins that break one rule each, by the rule that has to find it, and for each kind one that breaks none."""
