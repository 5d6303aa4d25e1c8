"""Mails of patch archives taken apart: bytes in, a Mail out (`message.parse_mail`); no files, no network."""
