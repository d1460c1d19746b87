"""For tests of glottis and of its plugins: virtual networks, impairments, peers in pairs, contract checkers."""
