"""The pages, one file each, read top to bottom; ``navigation`` lists them."""
