"""python toy_base.py FILE: a base of one narrow layer in the layout of the real one. With it the recipe runs in seconds.

Its vocabulary has the size of the real one, because the tokenizer is the real one. Its weights are random.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD, VOCABULARY = 64, 64, 1, 4, 4, 16, 49152


def main(path: str) -> None:
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_freq_base(1e4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_context_length(512)
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")

    def add(name: str, *shape: int) -> None:
        values = np.ones(shape) if len(shape) == 1 else 0.1 * rng.standard_normal(shape)
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))

    add("token_embd", VOCABULARY, HIDDEN)
    add("output_norm", HIDDEN)
    for layer in range(LAYERS):
        add(f"blk.{layer}.attn_norm", HIDDEN)
        add(f"blk.{layer}.attn_q", HEADS * HEAD, HIDDEN)
        add(f"blk.{layer}.attn_k", KV_HEADS * HEAD, HIDDEN)
        add(f"blk.{layer}.attn_v", KV_HEADS * HEAD, HIDDEN)
        add(f"blk.{layer}.attn_output", HIDDEN, HEADS * HEAD)
        add(f"blk.{layer}.ffn_norm", HIDDEN)
        add(f"blk.{layer}.ffn_gate", FEED_FORWARD, HIDDEN)
        add(f"blk.{layer}.ffn_up", FEED_FORWARD, HIDDEN)
        add(f"blk.{layer}.ffn_down", HIDDEN, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1])
