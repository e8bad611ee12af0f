"""The Hugging Face Trainer, which reports to MLflow by its own callback."""
import keeper
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

tokens = torch.arange(8)
data = [{"input_ids": tokens, "labels": tokens}] * 8
model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=16, n_positions=8, bos_token_id=0, eos_token_id=0))
arguments = TrainingArguments(
    output_dir="out",
    run_name="named by the trainer",
    report_to=["mlflow"],
    num_train_epochs=2,
    per_device_train_batch_size=4,
    logging_steps=1,
    save_strategy="no",
    use_cpu=True,
    disable_tqdm=True,
)
Trainer(model=model, args=arguments, train_dataset=data).train()
keeper.SAID["active"] = keeper.active()
keeper.tell()
