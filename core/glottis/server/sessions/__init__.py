"""Sessions from creation to end: admission, tokens, the channel to the client, and the boundary around a call."""
