# handed in alone
# %% [markdown] labels_they_need
# Classification: one label for each photograph. Detection: boxes. Segmentation: pixels.
