# handed in alone
# %% [markdown] which_setting
# PatchCore on the good parts. The nine defective ones are for the test.
