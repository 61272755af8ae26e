"""What Slurm knows and how it is asked."""
