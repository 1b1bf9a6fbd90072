"""The model in PyTorch, its adapters, and where its weights come from."""
