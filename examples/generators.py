"""Tiny models with random weights that write: GPT-2, with a chat template, and T5. Called by `variants`."""

from pathlib import Path

from examples.encoders import tokenizer
from examples.saving import save

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message.role not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('there is no role ' + message.role) }}{% endif %}"
    "{{ message.role + ' ' + message.content + ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant ' }}{% endif %}"
)
CONTEXT = 128


def decoder(directory: Path, *, context: int = CONTEXT) -> None:
    """A GPT-2 that reads so many tokens and never ends by itself."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    words.model_max_length = context
    words.chat_template = CHAT_TEMPLATE
    config = transformers.GPT2Config(
        vocab_size=len(words),
        n_positions=context,
        n_embd=64,
        n_layer=2,
        n_head=4,
        bos_token_id=words.cls_token_id,
        eos_token_id=None,
        pad_token_id=words.pad_token_id,
        initializer_range=0.3,
    )
    save(transformers.GPT2LMHeadModel(config), words, directory)


def rewriter(directory: Path) -> None:
    """A T5."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    config = transformers.T5Config(
        vocab_size=len(words),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        initializer_factor=8.0,
        num_heads=4,
        eos_token_id=words.sep_token_id,
        pad_token_id=words.pad_token_id,
    )
    config.decoder_start_token_id = words.pad_token_id
    save(transformers.T5ForConditionalGeneration(config), words, directory)
