"""The whole way on a small corpus, from packages to a served completion."""
