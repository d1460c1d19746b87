"""The messages of a session over its WebSocket."""
