"""How long a class takes, and how much memory: stock nbgrader's way and ours."""
