"""The input as rows, their texts as chunks, and how many tokens these are."""
