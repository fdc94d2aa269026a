"""What was trained: records, the corpora that models were trained on, drift, and pruning."""
