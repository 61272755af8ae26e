"""What repeats and grid points say of one another: variance, comparisons, a model of all."""
