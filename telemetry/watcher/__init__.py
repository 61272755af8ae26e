"""One process a node that polls a source onto disk, and the handle its owner holds."""
