"""What the paper claims, and whether measurements bear it out."""
