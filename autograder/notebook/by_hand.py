"""No torch.nn, no torch.optim and no autograd while a student's function runs.

Some exercises ask for operations and gradients written by hand. A check of such an
exercise calls the function in inference mode, where autograd records nothing, and
refuses the ready-made functions by name, with a sentence that says what to use.
"""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode, resolve_name

# and whatever is also in torch itself; these are the same as torch.softmax and so on
ALLOWED = {
    f"torch.nn.functional.{name}"
    for name in ("softmax", "log_softmax", "relu", "relu_", "sigmoid", "tanh", "one_hot")
}
LAYERS = torch.nn.ReLU, torch.nn.Softmax, torch.nn.LogSoftmax  # which call no more than these
AUTOGRAD = {
    "torch.Tensor.backward",
    "torch.Tensor.requires_grad_",
    "torch.Tensor.requires_grad.__set__",
    "torch.autograd.grad",
    "torch._make_dual",  # forward mode: torch.func.jvp, jacfwd, hessian, linearize
}
GRADIENT_SET = "torch.Tensor.grad.__set__"  # how an optimiser is given one
WHOLE_ANSWERS = {  # of torch itself, and of torch.ops.aten
    "batch_norm", "layer_norm", "group_norm", "instance_norm", "native_batch_norm",
    "native_layer_norm", "conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "convolution_backward", "native_batch_norm_backward",
}  # fmt: skip


class NotByHand(RuntimeError):
    """A function called torch.nn or autograd in an exercise that is done by hand."""


WITHOUT_NN = (
    "write it with tensor operations (torch.softmax, torch.relu, clamp, exp, … are fine), "
    "without torch.nn."
)
LONG = 1000  # calls of known functions, after which a function is believed


@cache
def refusal(function: Any) -> str:
    """Return why a torch function is refused, or an empty string."""
    name = resolve_name(function)
    name = name or f"{getattr(function, '__module__', '')}.{function.__name__}"
    if name in AUTOGRAD:
        return f"{name} was called: derive the gradient by hand, without autograd."
    if name == GRADIENT_SET:
        return f"{name} was called: make the steps by hand, without torch.optim."
    in_torch = getattr(torch, function.__name__, None) is function  # torch.relu_, say
    bare = function.__name__.split(".")[0]  # convolution_backward.default, say
    if (in_torch or name.startswith("aten.")) and bare in WHOLE_ANSWERS:
        return f"{name} was called: it is the whole answer. Write it with simpler operations."
    if name.startswith("torch.nn.") and name not in ALLOWED and not in_torch:
        return f"{name} was called: {WITHOUT_NN}"
    return ""


class _Refuse(TorchFunctionMode):
    """Watches every call of a torch function, until nothing new has come for a long time.

    Watching a call takes as long as a small sum, and a training run makes thousands.
    """

    def __init__(self, blind: ExitStack) -> None:
        super().__init__()
        self._known: set[Callable] = set()
        self._calls = 0  # of functions that are known
        self._blind = blind  # keeps it from seeing more, until the block ends

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func not in self._known:
            if reason := refusal(func):
                raise NotByHand(reason)
            self._known.add(func)
            self._calls = 0
        self._calls += 1
        if self._calls == LONG:
            self._blind.enter_context(torch._C.DisableTorchFunction())
        return func(*args, **kwargs) if kwargs else func(*args)


def _refuse_layer(layer: torch.nn.Module, _: Any) -> None:
    if isinstance(layer, LAYERS):
        name = type(layer).__name__
        raise NotByHand(f"torch.nn.{name} was called: {WITHOUT_NN}")


@contextmanager
def by_hand() -> Generator[None]:
    """Run a block with autograd off and torch.nn refused. Raises NotByHand."""
    hook = register_module_forward_pre_hook(_refuse_layer)
    try:
        with ExitStack() as blind, _Refuse(blind), torch.inference_mode():
            yield
    finally:
        hook.remove()
