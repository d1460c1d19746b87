"""The types that plugins touch."""
