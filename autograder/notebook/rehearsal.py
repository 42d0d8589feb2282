"""Do at import what PyTorch and the checks otherwise do at first use.

A warm process imports it, so that no kernel that is forked from it has to do it again.
"""

import torch

from autograder.notebook import evidence
from autograder.notebook.by_hand import by_hand
from autograder.notebook.evidence import Outcome


def rehearse() -> None:
    """Call what most solutions call, under the eyes of a check, and record what comes back."""
    generator = torch.default_generator
    state = generator.get_state()
    with by_hand():
        X = torch.ones(4, 3, dtype=torch.float64)
        scores = (X @ X.T).clamp(min=0) + X.sum(1)
        p = torch.exp(scores - scores.max(dim=1, keepdim=True).values).softmax(1)
        loss = -p[torch.arange(4), torch.randint(4, (4,))].log().mean()
    recorded = Outcome({"return": evidence.observe({"p": p, "loss": loss}["p"])})
    evidence.from_output(evidence.to_output("rehearsal", {"one": recorded}))
    generator.set_state(state)


rehearse()
