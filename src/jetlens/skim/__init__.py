"""The skim stage."""
