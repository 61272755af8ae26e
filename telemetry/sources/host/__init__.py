"""What a node knows of itself: CPUs, ranks, zones, rails, IPMI."""
