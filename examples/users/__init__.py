"""Users with e-mail addresses that no two of them share: a small service over the client, keeping nothing by itself."""
