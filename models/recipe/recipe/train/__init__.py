"""Training of an adapter: noise, objective, loop, and tools for runs."""
