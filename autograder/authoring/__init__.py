"""What an author of exercises needs: checks and mistakes, references, student versions."""
