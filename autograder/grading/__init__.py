"""What an instructor's machine does with submissions: prepare, execute, judge, record."""
