"""One module a public data set; ``toolkit.data.convert.base_format`` says what each holds."""
