"""Writes a model of random weights that llama.cpp can run: python tiny_model.py out.gguf (needs PyPI's gguf)."""

import sys

import gguf
import numpy

WIDTH, LAYERS, HEADS, FORWARD, CONTEXT = 64, 2, 4, 128, 2048

tokens = [b"<unk>", b"<s>", b"</s>"] + [f"<0x{byte:02X}>".encode() for byte in range(256)]
types = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL] + [gguf.TokenType.BYTE] * 256
for piece in [chr(code) for code in range(32, 127)] + list("はいいえ門関所開閉。、"):
    shown = piece.replace(" ", "▁").encode()
    if shown not in tokens:
        tokens.append(shown)
        types.append(gguf.TokenType.NORMAL)

writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_name("tiny")
writer.add_context_length(CONTEXT)
writer.add_embedding_length(WIDTH)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(FORWARD)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_vocab_size(len(tokens))
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list(tokens)
writer.add_token_scores([0.0] * len(tokens))
writer.add_token_types(types)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_unk_token_id(0)
writer.add_chat_template(
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"
)

random = numpy.random.default_rng(7)


def tensor(name, *shape):
    writer.add_tensor(name, (random.standard_normal(shape) * 0.05).astype(numpy.float32))


def ones(name):
    writer.add_tensor(name, numpy.ones(WIDTH, dtype=numpy.float32))


tensor("token_embd.weight", len(tokens), WIDTH)
for layer in range(LAYERS):
    at = f"blk.{layer}"
    ones(f"{at}.attn_norm.weight")
    ones(f"{at}.ffn_norm.weight")
    for part in "qkv":
        tensor(f"{at}.attn_{part}.weight", WIDTH, WIDTH)
    tensor(f"{at}.attn_output.weight", WIDTH, WIDTH)
    tensor(f"{at}.ffn_gate.weight", FORWARD, WIDTH)
    tensor(f"{at}.ffn_up.weight", FORWARD, WIDTH)
    tensor(f"{at}.ffn_down.weight", WIDTH, FORWARD)
ones("output_norm.weight")
# The tokens that end or control a text are never the likeliest: answers run to their limit.
output = (random.standard_normal((len(tokens), WIDTH)) * 0.05).astype(numpy.float32)
output[:3] = 0
writer.add_tensor("output.weight", output)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
