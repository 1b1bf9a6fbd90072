"""Errors that the command line answers with one sentence instead of a stack trace."""

from __future__ import annotations


class RecipeError(ValueError):
    """An input that does not fit. The message is one sentence for whoever runs the command."""
