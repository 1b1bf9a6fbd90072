"""The model in PyTorch, its adapters, and the sources of its weights."""
