"""From a grid to jobs: Hydra points become RunSpecs, RunSpecs become submitit jobs."""
