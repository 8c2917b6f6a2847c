"""The explanation stage."""
