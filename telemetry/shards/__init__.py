"""What one writer wrote: parts on disk that survive a kill -9.

- `reader`: the Arrow IPC file of an open part, readable up to its last whole batch.
- `writer`: what one writer wrote.

Public: `Part`, `ROW_GROUP_ROWS`, `ShardWriter`, `StreamReader`, `list_parts`, `read_batches`,
`read_stream`, `shard_metadata`.
"""
