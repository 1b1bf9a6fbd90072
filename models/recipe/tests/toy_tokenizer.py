"""A byte-level tokenizer with Seedling's special ids in their places, small enough for a toy model."""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from recipe.data.tokenizer import END_OF_TEXT, MASK_ID, RENAMED

MERGES = (("i", "n"), ("r", "e"), ("Ġ", "Ġ"), ("Ġ", "="), ("o", "n"), ("ĠĠ", "ĠĠ"), ("re", "t"), ("d", "e"))
SPECIAL = [RENAMED.get(index, f"<|special{index}|>") for index in range(MASK_ID + 1)]
SPECIAL[END_OF_TEXT] = "<|endoftext|>"


def toy_tokenizer() -> Tokenizer:
    """17 special tokens, 256 bytes, eight merges."""
    tokens = SPECIAL + sorted(pre_tokenizers.ByteLevel.alphabet()) + [left + right for left, right in MERGES]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=list(MERGES)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer
