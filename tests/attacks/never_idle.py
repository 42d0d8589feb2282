"""No cell is ever done: the kernel does not say that it is idle."""

# %% nn_forward_pass
kernel = get_ipython().kernel
kernel._publish_status = lambda *a, **k: None
type(kernel)._publish_status = lambda *a, **k: None
