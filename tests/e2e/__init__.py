"""The whole product, from a client's command to the file it downloads; nothing inside is replaced."""
