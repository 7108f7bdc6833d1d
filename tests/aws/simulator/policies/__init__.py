"""An evaluator of IAM policies, written from their documentation and used by nothing else."""
