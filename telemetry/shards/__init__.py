"""What one writer wrote: parts on disk that survive a kill -9.

- `chain`: what a writer says of its rows while it writes them, each link holding the one
  before.
- `content`: one digest of rows, whatever file, batches or release of Arrow they are told by.
- `flatbuffer`: fields of the tables that Arrow tells its messages in, before Arrow reads them.
- `link_key`: the Ed25519 key of one writer, made in its memory, never written, gone with it.
- `links`: the lines of a shard's chains, as they are written and as they are read.
- `reader`: the Arrow IPC file of an open part, readable up to its last whole batch.
- `writer`: what one writer wrote.

Public: `BOUND_BY_WATCHER`, `Binding`, `ChainFile`, `ContentDigest`, `Head`, `Link`, `LinkKind`,
`MOST_CHAIN_BYTES`, `Part`, `ROW_GROUP_ROWS`, `ShardWriter`, `StreamReader`, `chain_name`,
`list_chains`, `list_parts`, `read_batches`, `read_chain`, `read_grounds`, `read_head`,
`shard_metadata`, `signature_stands`.
"""
