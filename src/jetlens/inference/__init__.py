"""What the classifiers are for: expected yields, significances and limits."""
