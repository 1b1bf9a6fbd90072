"""The corpus, from packages to filtered token files, and the changes of a text before it is masked."""
