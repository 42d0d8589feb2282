# handed in alone
# %% [markdown] what_is_noise
# Everything below 3 points is noise, because 800 faces are not many.
