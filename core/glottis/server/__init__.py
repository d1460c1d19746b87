"""The gateway on trio: sockets, tasks and lifetimes around the sans-I/O engines."""
