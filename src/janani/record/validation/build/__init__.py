"""Makes the validator's compact files from official packages; development only, never imported by the record."""
