"""What PyTorch says, as fixtures of the TypeScript tests."""
