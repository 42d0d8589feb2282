"""What a student's notebook imports: checks, evidence, criteria, and what is drawn."""
