import base64
import json
import struct
import time

import numpy as np
import pytest
import torch

from autograder.notebook import evidence
from autograder.notebook.evidence import (
    LIMIT_BYTES,
    EvidenceTooLarge,
    Leaf,
    MalformedEvidence,
    Outcome,
    Tensors,
    find,
    from_output,
    observe,
    outcome_from_json,
    outcome_to_json,
    pack,
    to_output,
    unpack,
)


def there_and_back(outcome):
    output = json.loads(json.dumps(to_output("some_check", {"case": outcome})))
    name, outcomes = from_output(output)
    assert name == "some_check"
    return outcomes["case"]


@pytest.mark.parametrize(
    "value, kind, text",
    [
        (None, "other", "None"),
        ([torch.zeros(2)], "other", "a list of 1"),
        ((torch.zeros(2), torch.zeros(2)), "other", "a tuple of 2"),
        ({"W1": 1}, "other", "a dict of 1: W1"),
        (torch.zeros(2, 2).max(1), "other", "a tuple of 2"),
        ("nan", "other", "a str"),
        (object(), "other", "a object"),
        (1 + 2j, "other", "a complex"),
        (torch.zeros(2, dtype=torch.complex64), "other", "a tensor of torch.complex64 on cpu"),
        (torch.zeros(2, device="meta"), "other", "a tensor of torch.float32 on meta"),
        (torch.eye(3).to_sparse(), "other", "a tensor with layout torch.sparse_coo"),
        (np.array(["a"]), "other", "a NumPy array of <U1"),
        (np.array([1], dtype=np.uint16), "other", "a NumPy array of uint16"),
        (torch.zeros(2, dtype=torch.uint16), "other", "a tensor of torch.uint16 on cpu"),
        (torch.zeros(2).to(torch.float8_e4m3fn), "other", "a tensor of torch.float8_e4m3fn on cpu"),
        ([np.float64(0.5), np.float32(1)], "numbers", ""),
        (np.array([[1.0, 2.0]]), "array", ""),
        (np.float64(0.5), "array", ""),
        (1.5, "number", ""),
        (True, "number", ""),
        ([0.5, 1, torch.tensor(2.0)], "numbers", ""),
        (torch.zeros(2, 3), "tensor", ""),
        (torch.zeros(2, 3, requires_grad=True), "tensor", ""),
        (torch.zeros(3, dtype=torch.bfloat16), "tensor", ""),
    ],
)
def test_a_value_is_recorded_for_what_it_is(value, kind, text):
    leaf = there_and_back(Outcome({"x": observe(value)})).leaves["x"]
    assert (leaf.kind, leaf.text) == (kind, text)
    assert (leaf.tensor is None) == (kind == "other")


def test_a_number_beyond_float_is_recorded_as_something_else():
    assert observe(10**400).kind == "other"


def test_tensors_come_back_with_dtype_shape_and_values():
    tensor = torch.randn(3, 4, dtype=torch.float64).T
    leaf = there_and_back(Outcome({"x": observe(tensor)})).leaves["x"]
    assert leaf.tensor.dtype is torch.float64
    assert torch.equal(leaf.tensor, tensor)


class Tricky(torch.Tensor):
    """Claims to be equal to everything, and to be of any shape."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones(5, 4)

    def __eq__(self, other):
        return True


def test_a_tricky_subclass_is_recorded_by_its_data():
    tensor = torch.zeros(2, 2).as_subclass(Tricky)
    leaf = observe(tensor)
    assert leaf.kind == "tensor"
    assert type(leaf.tensor) is torch.Tensor
    assert leaf.tensor.shape == (2, 2)
    assert not leaf.tensor.any()


class Hostile(dict):
    def __getitem__(self, key):
        raise ValueError("no")

    def __len__(self):
        raise ValueError("no")


def test_a_class_that_raises_is_recorded_as_something_else():
    assert find({"return": Hostile(W1=1)}, "return.W1").kind == "missing"
    assert observe(Hostile()).kind == "other"


def test_a_missing_item_says_what_was_there():
    for value, path, text in (
        (0.5, "return.1", "the function returned the number 0.5, which has no result 2"),
        (None, "return.0", "the function returned None"),
        ((1, {"W1": 0}), "return.1.W2", "result 2 is a dict of 1: W1, which has no 'W2'"),
        (({"W1": 0}, 1), "return.1.W1", "result 2 is the number 1, which has no 'W1'"),
    ):  # fmt: skip
        assert find({"return": value}, path) == Leaf("missing", text=text)


def test_a_leaf_larger_than_a_cell_may_record_says_so():
    huge = torch.zeros(1).expand(2**40)
    assert observe(huge).text == "a tensor of 4194304 MiB (a cell may record 16 MiB)"


def test_more_than_a_cell_may_record_raises():
    leaf = Leaf("tensor", torch.zeros(3 * 2**20))
    with pytest.raises(
        evidence.EvidenceTooLarge, match=r"24.0 MiB, and one cell may record 16 MiB"
    ):
        to_output("c", {"a": Outcome({"x": leaf}), "b": Outcome({"x": leaf})})


def test_the_same_outcomes_make_the_same_bytes():
    outcomes = {n: Outcome({k: observe(torch.arange(3.0)) for k in "abc"}) for n in "xyz"}
    assert to_output("c", outcomes) == to_output("c", outcomes)


@pytest.mark.parametrize(
    "output",
    [
        None, 5, "text", [], {}, {"schema_version": 1},
        {"schema_version": 2, "check": "c", "safetensors": ""},
        {"schema_version": 1, "check": "c", "safetensors": "!!!"},
        {"schema_version": 1, "check": "c", "safetensors": "AAAA"},
        {"schema_version": 1, "check": "c", "safetensors": 7},
        {"schema_version": 1, "check": "c", "safetensors": "A" * (40 * 2**20)},
    ],
)  # fmt: skip
def test_anything_else_is_malformed(output):
    with pytest.raises(MalformedEvidence):
        from_output(output)


def test_forged_references_to_tensors_are_malformed():
    output = to_output("c", {"case": Outcome({"x": observe(torch.zeros(2))})})
    document, tensors = evidence.unpack(base64.b64decode(output["safetensors"]))
    document["case"]["leaves"]["x"]["tensor"] = "elsewhere"
    forged = evidence.pack(document, tensors)
    output["safetensors"] = base64.b64encode(forged).decode()
    with pytest.raises(MalformedEvidence):
        from_output(output)


@pytest.mark.parametrize("forged", [{"kind": "weird"}, {"kind": "tensor"}, {"kind": ["tensor"]}])
def test_a_forged_kind_is_malformed(forged):
    leaf = {"text": "", "device": "cpu"} | forged
    document = {"case": {"leaves": {"x": leaf}, "modified": [], "raised": ""}}
    data = base64.b64encode(evidence.pack(document, {})).decode()
    with pytest.raises(MalformedEvidence):
        from_output({"schema_version": 1, "check": "c", "safetensors": data})


def test_complex_evidence_is_malformed():
    leaf = Leaf("tensor", torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(MalformedEvidence):
        from_output(to_output("c", {"case": Outcome({"x": leaf})}))


def test_text_that_cannot_be_shown_is_made_harmless():
    assert evidence.clip("a\ud800b\x1b[31mc\n") == "a b [31mc "


def test_text_from_a_student_is_cut():
    assert len(there_and_back(Outcome(raised="x" * 10_000)).raised) == evidence.TEXT_LIMIT


def test_equal_tensors_are_stored_once_and_keep_their_shape_and_sign():
    zeros = torch.zeros(500, dtype=torch.float64)
    leaves = {
        "a": Leaf("tensor", zeros),
        "same": Leaf("tensor", zeros.clone()),
        "other_shape": Leaf("tensor", zeros.reshape(5, 100)),
        "other_dtype": Leaf("tensor", torch.zeros(1000, dtype=torch.float32)),
        "negative": Leaf("tensor", -zeros),  # equal, and other bytes
    }
    tensors = Tensors()
    document = outcome_to_json(Outcome(leaves), tensors)
    assert len(tensors.by_name) == 4  # those of a and same are one
    found = outcome_from_json(document, unpack(pack(document, tensors.by_name))[1])
    for name, leaf in leaves.items():
        assert found.leaves[name].tensor.dtype == leaf.tensor.dtype
        assert found.leaves[name].tensor.shape == leaf.tensor.shape
        assert torch.equal(found.leaves[name].tensor.signbit(), leaf.tensor.signbit())


def test_a_single_entry_of_a_larger_tensor_is_recorded_whatever_its_stride():
    single = torch.arange(18).reshape(3, 6)[:1, 2]
    assert single.is_contiguous() and single.stride() == (6,)
    outcome = there_and_back(Outcome({"x": Leaf("tensor", single)}))
    assert outcome.leaves["x"].tensor.equal(torch.tensor([2]))


def test_a_tensor_that_is_recorded_often_counts_every_time():
    big = torch.zeros(LIMIT_BYTES // 8 // 2 + 1, dtype=torch.float64)
    outcomes = {str(i): Outcome({"x": Leaf("tensor", big)}) for i in range(2)}
    with pytest.raises(EvidenceTooLarge):
        to_output("scores", outcomes)


def forged(document, header=(), body=b""):
    """Build an output by hand, as a hostile cell would."""
    text = json.dumps(document)
    head = json.dumps({**dict(header), "__metadata__": {"json": text}}).encode()
    data = struct.pack("<Q", len(head)) + head + body
    return {"schema_version": 1, "check": "c", "safetensors": base64.b64encode(data).decode()}


EMPTY = {"leaves": {}, "modified": [], "raised": ""}
OF_TENSOR = {"kind": "tensor", "text": "", "device": "", "tensor": "t"}
BOMBS = {
    "leaves": forged({"a": EMPTY | {"leaves": {
        str(n): {"kind": "other", "text": "", "device": ""} for n in range(100_000)}}}),
    "names": forged({"n" * 4_000_000: EMPTY}),
    "cases": forged({str(n): EMPTY for n in range(100_000)}),
    "modified": forged({"a": EMPTY | {"modified": ["x" * 299] * 20_000}}),
    "nested": forged({"a": json.loads("[" * 500 + "]" * 500)}),
    "dimensions": forged(
        {"a": EMPTY | {"leaves": {"r": OF_TENSOR}}},
        {"t": {"dtype": "F64", "shape": [1] * 200_000, "data_offsets": [0, 8]}}, bytes(8)),
    "length": {"schema_version": 1, "check": "c",
               "safetensors": base64.b64encode(bytes([255] * 8)).decode()},
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_evidence_that_says_too_much_is_malformed_at_once(bomb):
    start = time.process_time()
    with pytest.raises(MalformedEvidence) as caught:
        from_output(BOMBS[bomb])
    assert time.process_time() - start < 0.5
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_of_many_modified_inputs_some_are_kept():
    found = outcome_from_json(EMPTY | {"modified": ["x" * 900] * 500}, {})
    assert len(found.modified) == 20 and all(len(name) <= 300 for name in found.modified)
