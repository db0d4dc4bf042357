"""The study of clipping rules, code lengths, batches and backbones."""
