"""From an adapter to the int4 weights that are served."""
