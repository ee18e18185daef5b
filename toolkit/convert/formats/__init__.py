"""One module a public data set; the contract: see ``toolkit.convert``."""
