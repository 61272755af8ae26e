"""What is known of GPU boards from datasheets and papers: one row a board."""
