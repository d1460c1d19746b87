"""HTTP and WebSocket on one port: connections behind a barrier each, the API, and pages."""
