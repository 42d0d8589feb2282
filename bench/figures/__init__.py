"""The figures of the seeds, measured: each by an experiment that can be stopped and continued."""
