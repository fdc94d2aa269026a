"""The assets, one file each with its checks."""
