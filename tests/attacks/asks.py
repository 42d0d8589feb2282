"""It asks a person for input, with and without the help of the kernel."""

# %% nn_forward_pass
import getpass
import sys

for question in (input, getpass.getpass, lambda: sys.stdin.read(), lambda: open("/dev/tty").read()):
    try:
        answer = question()
        print("FOUND " + answer if answer else "nothing")
    except BaseException as error:
        print(type(error).__name__, error)

# %% nn_loss
breakpoint()

# %% nn_forward_backward
%debug
%pdb on
1 / 0

# %% numeric_gradient
exit()
quit()
get_ipython().ask_exit()
