"""Fine-tune by SetFit: run_setfit.py FOLDER BASE EPOCHS. It learns from pairs, so `LABEL_ROWS` rows of each label, as in its paper."""

import sys
import time
from collections import Counter
from pathlib import Path

from datasets import Dataset
from run_trainer import read
from setfit import SetFitModel, Trainer, TrainingArguments
from watched import Clock

LABEL_ROWS, NUM_ITERATIONS = 16, 5


def main() -> None:
    folder, base = Path(sys.argv[1]), sys.argv[2]
    train, test = read(folder / "train.csv"), read(folder / "test.csv")
    labels = sorted({label for _, label in train})
    model = SetFitModel.from_pretrained(base, device="cpu")
    print("begin", flush=True)
    begun_s = time.perf_counter()
    clock = Clock(
        lambda: model.predict([text for text, _ in test]).tolist(), [labels.index(label) for _, label in test], begun_s
    )
    chosen = few(train)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            batch_size=32, num_epochs=1, num_iterations=NUM_ITERATIONS, save_strategy="no", report_to="none", seed=7
        ),
        train_dataset=Dataset.from_dict(
            {"text": [text for text, _ in chosen], "label": [labels.index(label) for _, label in chosen]}
        ),
    )
    trainer.train()
    clock.num_rows = len(chosen) * NUM_ITERATIONS * 4  # pairs of two texts, as many alike as not
    print(clock.told(), flush=True)


def few(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    seen: Counter[str] = Counter()
    chosen = []
    for text, label in rows:
        seen[label] += 1
        if seen[label] <= LABEL_ROWS:
            chosen.append((text, label))
    return chosen


if __name__ == "__main__":
    main()
