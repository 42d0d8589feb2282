"""One record is larger than all that a cell may display."""

# %% nn_forward_pass
get_ipython().display_pub.publish({"text/plain": "x" * (200 << 20)})
