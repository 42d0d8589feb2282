"""What a student's function returned, as recorded tensors.

An `Outcome` is one call of one function: the leaves of its return value that a check asks for, or
the exception it raised. The student's process packs its outcomes into a cell output; the judge,
elsewhere, unpacks them. Nothing is unpickled on the way, and nothing in it is trusted: a leaf says
what it is (a tensor, a NumPy array, a list…), and the judge decides what that is worth.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import safetensors.torch
import torch

MIME = "application/vnd.gradient-check.evidence+json"
SCHEMA_VERSION = 1
LIMIT_BYTES = 16 * 2**20  # of tensors in one cell
LIMIT_TEXT = 2**20  # bytes of what is said of the tensors in one cell
LIMIT_DIMENSIONS = 16
LIMIT_MODIFIED = 20  # inputs whose names are kept
TEXT_LIMIT = 300
DTYPES = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.bfloat16, torch.float16, torch.float32, torch.float64,
)  # fmt: skip
WITH_TENSOR, WITHOUT_TENSOR = ("tensor", "array", "number", "numbers"), ("other", "missing")


class EvidenceTooLarge(Exception):
    """A check's outcomes hold more than `LIMIT_BYTES` of tensors."""


class MalformedEvidence(Exception):
    """A cell's output claims to be evidence and is not."""


@dataclass(frozen=True)
class Leaf:
    """One value a check asked for.

    `kind` is "tensor", "array" (NumPy), "number" or "numbers" (a Python number, or a list
    of them, as float64), "other" or "missing": then there is no tensor and `text` says what
    there was.
    """

    kind: str
    tensor: torch.Tensor | None = None
    text: str = ""
    device: str = "cpu"


@dataclass(frozen=True)
class Outcome:
    """One call: leaves by name, the inputs it modified, or what it raised."""

    leaves: Mapping[str, Leaf] = field(default_factory=dict)
    modified: tuple[str, ...] = ()
    raised: str = ""


def observe(value: Any) -> Leaf:
    """Record a value for what it is, whatever tricks its class plays."""
    try:
        return _observe(value)
    except (Exception, SystemExit) as error:  # a broken class must not end the check
        return Leaf(
            "other", text=clip(f"a {_class_name(value)} that raises {type(error).__name__}")
        )


def find(root: Any, path: str) -> Leaf:
    """Record the part of `root` at a dotted path such as `return.1.W1`.

    What is not there is recorded as missing, with what is there instead.
    """
    first, *steps = path.split(".")
    value, place = root[first], "the function returned" if first == "return" else f"{first} is"
    for step in steps:
        try:
            value = _child(value, step)
        except (Exception, SystemExit):
            text = f"{place} {describe(value)}, which has no {_item(step)}"
            return Leaf("missing", text=clip(text if value is not None else f"{place} None"))
        place = f"{_item(step)} is"
    return observe(value)


def _item(step: str) -> str:
    """Name a step of a path: `result 2` for the item 1, `'W1'` for a key."""
    return f"result {int(step) + 1}" if step.isdigit() else repr(step)


def describe(value: Any) -> str:
    """Name a value in a few words: `a list of 3`, `a tensor of shape (5, 4)`."""
    leaf = observe(value)
    if leaf.tensor is None:
        return leaf.text
    if leaf.kind == "number":
        return f"the number {leaf.tensor.item():.6g}"
    if leaf.kind == "numbers":
        return f"a {_class_name(value)} of {len(leaf.tensor)} numbers"
    noun = "a tensor" if leaf.kind == "tensor" else "a NumPy array"
    return f"{noun} of shape {tuple(leaf.tensor.shape)}"


def clip(text: str) -> str:
    """Cut untrusted text to a length that fits a table, and to characters that can be shown."""
    text = str(text)[: 4 * TEXT_LIMIT]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


class Tensors:
    """Tensors to be packed, by short names; those that are equal are stored once."""

    def __init__(self) -> None:
        self.by_name: dict[str, torch.Tensor] = {}
        self._names: dict[tuple, str] = {}

    def add(self, tensor: torch.Tensor) -> str:
        """Store a tensor. Returns its name."""
        # a copy: strides of what has one entry may be any, even if it is contiguous
        flat = tensor.detach().reshape(-1).clone(memory_format=torch.contiguous_format)
        raw = flat.view(torch.uint8).numpy().tobytes()
        content = tensor.dtype, tuple(tensor.shape), raw
        name = self._names.setdefault(content, str(len(self._names)))
        self.by_name.setdefault(name, tensor)
        return name


def pack(document: Any, tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Write a JSON document and tensors as safetensors, the same bytes every time."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=True)
    # safetensors refuses tensors that share memory, and views
    apart = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    return safetensors.torch.save(apart, metadata={"json": text})


def unpack(data: bytes) -> tuple[Any, dict[str, torch.Tensor]]:
    """Read what `pack` wrote. Raises ValueError for anything else."""
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        return json.loads(header["__metadata__"]["json"]), tensors
    except Exception as error:
        raise ValueError(f"not a safetensors file of this project ({error})") from error


def outcome_to_json(outcome: Outcome, tensors: Tensors) -> dict:
    """Describe an outcome in JSON; its tensors go into `tensors`."""
    leaves = {}
    for name, leaf in sorted(outcome.leaves.items()):  # as they are when read again
        leaves[name] = {"kind": leaf.kind, "text": leaf.text, "device": leaf.device}
        if leaf.tensor is not None:
            leaves[name]["tensor"] = tensors.add(leaf.tensor)
    return {"leaves": leaves, "modified": list(outcome.modified), "raised": outcome.raised}


def outcome_from_json(document: Mapping, tensors: Mapping[str, torch.Tensor]) -> Outcome:
    """Read what `outcome_to_json` wrote."""
    leaves = {str(n): _leaf_from_json(leaf, tensors) for n, leaf in document["leaves"].items()}
    modified = tuple(clip(path) for path in document["modified"][:LIMIT_MODIFIED])
    return Outcome(leaves, modified, clip(document["raised"]))


def _leaf_from_json(document: Mapping, tensors: Mapping[str, torch.Tensor]) -> Leaf:
    kind, tensor = document["kind"], None
    if kind in WITH_TENSOR:
        tensor = tensors[document["tensor"]]
        if tensor.dtype not in DTYPES:
            raise ValueError(f"a leaf of {tensor.dtype}")
        if tensor.dim() > LIMIT_DIMENSIONS:
            raise ValueError(f"a leaf with {tensor.dim()} dimensions")
        if {"number": 0, "numbers": 1}.get(kind, tensor.dim()) != tensor.dim():
            raise ValueError(f"a leaf of kind {kind} with {tensor.dim()} dimensions")
    elif kind not in WITHOUT_TENSOR:
        raise ValueError(f"a leaf of kind {clip(kind)!r}")
    return Leaf(kind, tensor, clip(document["text"]), clip(document["device"]))


def to_output(check: str, outcomes: Mapping[str, Outcome]) -> dict:
    """Build the JSON of one cell output from the outcomes of a check, by case.

    Raises EvidenceTooLarge beyond 16 MiB of tensors.
    """
    leaves = (leaf for outcome in outcomes.values() for leaf in outcome.leaves.values())
    size = sum(leaf.tensor.nbytes for leaf in leaves if leaf.tensor is not None)
    if size > LIMIT_BYTES:
        raise EvidenceTooLarge(
            f"{check}: the returned tensors take {size / 2**20:.1f} MiB, and one cell may record "
            f"{LIMIT_BYTES // 2**20} MiB. Return only what the exercise asks for."
        )
    tensors = Tensors()
    document = {case: outcome_to_json(outcome, tensors) for case, outcome in outcomes.items()}
    data = base64.b64encode(pack(document, tensors.by_name)).decode("ascii")
    return {"schema_version": SCHEMA_VERSION, "check": check, "safetensors": data}


def from_output(output: Any) -> tuple[str, dict[str, Outcome]]:
    """Read one cell output. Raises MalformedEvidence if it is not what `to_output` builds."""
    try:
        version, check, data = (output[k] for k in ("schema_version", "check", "safetensors"))
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema version {clip(version)}, expected {SCHEMA_VERSION}")
        if len(data) > 2 * LIMIT_BYTES:
            raise ValueError("larger than a cell may record")
        packed = base64.b64decode(data, validate=True)
        if int.from_bytes(packed[:8], "little") > LIMIT_TEXT:
            raise ValueError("it says more of its tensors than a check does")
        document, tensors = unpack(packed)
        return str(check), {
            str(case): outcome_from_json(outcome, tensors) for case, outcome in document.items()
        }
    except Exception as error:
        raise MalformedEvidence(clip(f"the recorded evidence cannot be read: {error}")) from error


def in_cell(cell: Mapping) -> list[Any]:
    """Return what the outputs of an executed cell hold as evidence."""
    return [
        output["data"][MIME]
        for output in cell.get("outputs", [])
        if output["output_type"] == "display_data" and MIME in output["data"]
    ]


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Copy the data of a tensor, of any subclass and device, into a plain one on the CPU."""
    with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
        return tensor.detach().as_subclass(torch.Tensor).cpu().contiguous().clone()


def _observe(value: Any) -> Leaf:
    kind = type(value)
    if issubclass(kind, torch.Tensor):
        return _observe_tensor(value)
    if issubclass(kind, np.ndarray) or issubclass(kind, np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            return Leaf("other", text=f"a NumPy array of {array.dtype}")
        if array.nbytes > LIMIT_BYTES:
            return _too_large("a NumPy array", array.nbytes)
        tensor = torch.from_numpy(np.array(array))
        if tensor.dtype not in DTYPES:
            return Leaf("other", text=f"a NumPy array of {array.dtype}")
        return Leaf("array", tensor)
    if kind in (bool, int, float, Fraction):
        return Leaf("number", torch.tensor(float(value), dtype=torch.float64))
    if value is None:
        return Leaf("other", text="None")
    if kind in (list, tuple) and value and all(map(_is_number, value)):
        return Leaf("numbers", torch.tensor([float(item) for item in value], dtype=torch.float64))
    if kind is dict:
        return Leaf("other", text=clip(f"a dict of {len(value)}: {', '.join(map(str, value))}"))
    if issubclass(kind, (list, tuple, set)):
        name = next(base.__name__ for base in kind.__mro__ if base in (list, tuple, set))
        return Leaf("other", text=f"a {name} of {len(value)}")
    return Leaf("other", text=clip(f"a {_class_name(value)}"))


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return type(value) is torch.Tensor and value.dim() == 0 and value.dtype in DTYPES
    return isinstance(value, (bool, int, float, Fraction, np.number, np.bool_))


def _observe_tensor(tensor: torch.Tensor) -> Leaf:
    with torch._C.DisableTorchFunctionSubclass():
        if tensor.layout is not torch.strided:
            return Leaf("other", text=f"a tensor with layout {tensor.layout}")
        if tensor.device.type == "meta" or tensor.dtype not in DTYPES or tensor.is_nested:
            return Leaf("other", text=f"a tensor of {tensor.dtype} on {tensor.device}")
        nbytes = tensor.numel() * tensor.element_size()
        if nbytes > LIMIT_BYTES:
            return _too_large("a tensor", nbytes)
        return Leaf("tensor", plain(tensor), device=tensor.device.type)


def _too_large(noun: str, nbytes: int) -> Leaf:
    limit = LIMIT_BYTES // 2**20
    return Leaf("other", text=f"{noun} of {nbytes / 2**20:.0f} MiB (a cell may record {limit} MiB)")


def _child(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value[step]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value[int(step)]
    raise LookupError(step)


def _class_name(value: Any) -> str:
    return type(value).__name__[:60]
