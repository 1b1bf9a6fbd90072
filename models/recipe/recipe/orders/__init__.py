"""The model's own trajectories: constrained orders and on-policy step minimisation."""
