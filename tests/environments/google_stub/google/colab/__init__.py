"""What a notebook sees of Colab's own package, as far as the course uses it."""
