"""One module per verb, without the command line: values in, values out."""
