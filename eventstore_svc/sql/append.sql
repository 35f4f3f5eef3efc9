-- Store a batch of appends; the arguments and the answer are described where the function is made.
SELECT failed, positions, versions
  FROM append_batch(
       append_of := %(append_of)s, stream_of := %(stream_of)s, wanted := %(wanted)s, event_ids := %(event_ids)s,
       actions := %(actions)s, payloads := %(payloads)s, metadatas := %(metadatas)s, occurred := %(occurred)s,
       stream_types := %(stream_types)s, stream_ids := %(stream_ids)s, known_ids := %(known_ids)s)
