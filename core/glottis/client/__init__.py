"""A headless client on the same core: it calls a gateway, speaks and listens."""
