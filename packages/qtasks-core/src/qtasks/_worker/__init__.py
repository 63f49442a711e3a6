"""The worker: claims, runs, commits, keeps."""
