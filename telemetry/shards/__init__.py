"""What one writer wrote: parts on disk that survive a kill -9.

- `flatbuffer`: fields of the tables that Arrow tells its messages in, before Arrow reads them.
- `reader`: the Arrow IPC file of an open part, readable up to its last whole batch.
- `writer`: what one writer wrote.

Public: `Part`, `ROW_GROUP_ROWS`, `ShardWriter`, `StreamReader`, `list_parts`, `read_batches`,
`shard_metadata`.
"""
