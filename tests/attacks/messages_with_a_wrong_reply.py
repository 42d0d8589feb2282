"""The reply to each cell is an error that has no name, or anything else."""

# %% nn_forward_pass
kernel = get_ipython().kernel
KINDS = iter([{"status": "error"}, {"status": 7}, [], None, {"status": "error", "ename": 7, "evalue": {}, "traceback": 7}])
do_execute = type(kernel).do_execute


async def wrong(self, *arguments, **keywords):
    await do_execute(self, *arguments, **keywords)
    return next(KINDS, {})


type(kernel).do_execute = wrong
