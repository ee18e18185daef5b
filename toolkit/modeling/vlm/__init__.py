"""Vision-language models: what each architecture needs, loading, encoding, generating, and which parts learn."""
