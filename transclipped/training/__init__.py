"""From images to the files of a run."""
