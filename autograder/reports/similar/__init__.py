"""Which submissions of a class are alike in what their authors wrote, and in nothing else."""
