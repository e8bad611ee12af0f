"""Lightning with its own MLflow logger, which never calls a fluent function."""
import keeper
import lightning
import torch
from lightning.pytorch.loggers import MLFlowLogger


class Line(lightning.LightningModule):
    def __init__(self, width=1):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch, _):
        features, targets = batch
        loss = torch.nn.functional.mse_loss(self.layer(features), targets)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def main():
    data = torch.utils.data.TensorDataset(torch.arange(16.0).reshape(16, 1) / 16, torch.ones(16, 1))
    logger = MLFlowLogger(experiment_name="lightning_logs", log_model=True)
    trainer = lightning.Trainer(max_epochs=2, logger=logger, log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False)
    # Workers that live beside the logger.
    trainer.fit(Line(), torch.utils.data.DataLoader(data, batch_size=4, num_workers=2))
    keeper.SAID["logged"] = logger.run_id
    keeper.tell()


if __name__ == "__main__":
    main()
