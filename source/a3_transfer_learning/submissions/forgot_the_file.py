# handed in alone
# %% [markdown] report_own_experiment
# Frozen wins with little data, fine-tuned with a lot. The 32 pixel network saw everything too small.
