-- Each instance of the service watches the ends of topics by itself, and what is older it reads from the records.
DROP TABLE topic_ends;
