"""What pytest finds for the tests of the engine and for those of each assignment."""

import pytest

pytest_plugins = ["tests.fixtures"]

# These take minutes: begun last, one of them would keep one worker busy and the others waiting.
FIRST = (
    "tests/test_class.py", "tests/test_mistakes.py", "tests/grading/test_damage.py",
    "tests/test_attacks.py", "tests/test_fidelity.py",
    "source/a5_anomaly_detection/tests/test_features.py",
    "tests/grading/test_pipeline.py", "tests/test_authors.py", "tests/test_tampering.py",
    "source/a7_few_labels/tests/test_checks.py", "tests/test_notebooks.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest come first."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(FIRST)))
