"""What a call costs: ``python -m benchmarks`` measures the gateway beside aiortc, on this machine, in one run."""
