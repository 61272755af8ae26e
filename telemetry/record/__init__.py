"""What a run is and where its record lies: the contract that all packages share."""
