"""How much a submission may use, as an instructor sets it and as the sandbox reads it."""

import pytest
from traitlets import TraitError
from traitlets.config import Config, Configurable

from autograder.sandbox import namespaces
from autograder.sandbox.limits import Limits


def test_every_limit_is_a_positive_number_with_its_unit():
    for name, value in Limits().as_dict().items():
        assert isinstance(value, int) and value > 0, name
        assert Limits.class_traits()[name].help, name


def test_a_course_sets_what_it_names_and_the_rest_stays():
    config = Config()
    config.Limits.memory = 2 * 2**30
    assert Limits(config=config).as_dict() == Limits().as_dict() | {"memory": 2 * 2**30}


def test_whoever_has_the_configuration_hands_it_on():
    config = Config()
    config.Limits.processes = 7
    assert Limits(parent=Configurable(config=config)).as_dict()["processes"] == 7


@pytest.mark.parametrize("wrong", ["2 GB", 1.5, None])
def test_a_limit_that_is_no_whole_number_is_refused(wrong):
    config = Config()
    config.Limits.memory = wrong
    with pytest.raises(TraitError, match="'memory' trait of a Limits instance expected an int"):
        Limits(config=config)


def test_the_sandbox_reads_every_limit_but_those_that_execute_watches(monkeypatch):
    asked = set()

    class Asked(dict):
        def __getitem__(self, name):
            asked.add(name)
            return super().__getitem__(name)

    for name in ("call", "mount", "drop_privileges", "os.mkdir", "resource.setrlimit"):
        monkeypatch.setattr(f"autograder.sandbox.namespaces.{name}", lambda *_: None)
    limits = Asked(Limits().as_dict())
    namespaces.enter_kernel(limits)
    namespaces.limit(limits)
    assert asked | {"seconds", "output", "outputs"} == set(Limits().as_dict())
