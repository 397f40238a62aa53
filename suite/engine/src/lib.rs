//! Recurrence, training, evaluation, checkpoints, plugin loading, run store, workers
