"""Training of an adapter: noise, objective, loop, and what is done with runs."""
