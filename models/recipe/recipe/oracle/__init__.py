"""PyTorch's predictions, as fixtures of the TypeScript tests."""
