"""One module for each public data set; ``toolkit.data.convert.base_format`` says what a module must hold."""
