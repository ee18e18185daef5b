"""A Frame: one picture with its camera and labels; reading picture files; telling the same picture again."""
