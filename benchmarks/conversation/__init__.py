"""``python -m benchmarks.conversation``: how well, and how soon, an assistant without the Internet answers."""
