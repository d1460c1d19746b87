"""Agents in processes of their own: the gateway's end of the pipe, the worker's, and what goes between them."""
