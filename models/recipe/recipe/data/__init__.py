"""The corpus: packages to filtered token files, and what is done to a text before it is hidden."""
