"""A rehearsal makes what is slow to make, and leaves nothing that anybody would see."""

import torch
from torch.overrides import _get_overridable_functions

from autograder.notebook import rehearsal
from autograder.notebook.by_hand import refusal


def test_it_leaves_the_random_numbers_as_they_were():
    torch.manual_seed(7)
    state = torch.get_rng_state()
    rehearsal.rehearse()
    assert torch.equal(torch.get_rng_state(), state)


def test_it_looks_names_up_so_that_no_check_has_to_make_the_table():
    refusal.cache_clear()
    rehearsal.rehearse()
    assert refusal.cache_info().currsize > 5
    assert _get_overridable_functions.cache_info().currsize > 0
