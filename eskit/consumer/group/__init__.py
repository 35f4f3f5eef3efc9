"""The Kafka side: one thread that polls, the membership of the group, records handed over in bounded inboxes."""
