"""Sessions from creation to end, and the call that an agent is given."""
