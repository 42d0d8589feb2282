"""What only this notebook imports."""
