"""The Pipeline page: a line of stages, what each prefix finds, and how rankers are fused."""
