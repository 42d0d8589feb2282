"""What pytest finds for the tests of the engine and for those of each assignment."""

pytest_plugins = ["tests.fixtures"]
