# handed in alone
# %% [markdown] question_frozen_or_fine_tuned
# Frozen wins with little data, fine-tuned with a lot. The 32 pixel network saw everything too small.
