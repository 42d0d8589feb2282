# handed in alone
# %% [markdown] question_confusions
# Sad and neutral, because both have a closed mouth.
